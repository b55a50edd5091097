public import TensorCore

/// How one of Hugging Face's classes makes a tokenizer of a vocabulary alone: what holds where no tokenizer.json says it.
///
/// Source: transformers 5.23, `models/*/tokenization_*.py`, and `convert_slow_tokenizer.py` for the numbers of pieces.
public struct TokenizerClass: Sendable {
  /// The name of the class, without `Fast`.
  public let name: String
  /// The `model_type`s that have it where no tokenizer_config.json names one.
  public let models: [String]
  /// Whether it fills a text up at its beginning, where no tokenizer_config.json says where.
  public let fillsBeginning: Bool
  /// What it makes it of.
  public let vocabulary: Vocabulary

  /// What a class makes a tokenizer of.
  public enum Vocabulary: Sendable {
    /// A model of sentencepiece and a list of ids.
    case numberedPieces
    /// A model of sentencepiece.
    case pieces(@Sendable (TokenizerSettings) -> TokenizerPlan)
    /// A vocab.txt.
    case lines(@Sendable (TokenizerSettings) -> TokenizerPlan)
    /// A vocab.json and a merges.txt.
    case merges(@Sendable (TokenizerSettings) -> TokenizerPlan)
    /// Nothing: the bytes of a text are its tokens.
    case bytes(@Sendable (TokenizerSettings) -> TokenizerPlan)
  }

  package init(
    _ name: String, for models: [String] = [], fillsBeginning: Bool = false,
    _ vocabulary: Vocabulary
  ) {
    (self.name, self.models, self.vocabulary) = (name, models, vocabulary)
    self.fillsBeginning = fillsBeginning
  }
}

/// What a tokenizer_config.json says, beside what a class has where it says nothing.
public struct TokenizerSettings: Sendable {
  private let json: JSONValue?

  /// - Parameter json: the file; `nil` if there is none.
  public init(_ json: JSONValue?) { self.json = json }

  /// The text of a token, of `cls_token` for one.
  package func word(_ key: String, _ usual: String) -> String {
    json?[key]?.string ?? json?[key]?["content"]?.string ?? usual
  }

  /// The marks of fairseq's dictionaries: what begins and ends a text, the unknown word, padding and the mask.
  package var marks: (start: String, end: String, unknown: String, padding: String, mask: String) {
    (
      word("bos_token", "<s>"), word("eos_token", "</s>"), word("unk_token", "<unk>"),
      word("pad_token", "<pad>"), word("mask_token", "<mask>")
    )
  }

  /// The same, if the file says it.
  package func word(_ key: String) -> String? {
    json?[key]?.string ?? json?[key]?["content"]?.string
  }

  /// Whether a setting is there and null.
  package func isNull(_ key: String) -> Bool { json?[key] == .null }

  /// Whether a setting is on.
  package func flag(_ key: String, _ usual: Bool) -> Bool { json?[key]?.bool ?? usual }

  /// A number, if it is none below 0 or above the number of words that there may be.
  package func count(_ key: String, _ usual: Int) -> Int {
    min(max(json?[key]?.int ?? usual, 0), 1 << 20)
  }

  /// A value as it is written.
  package func value(_ key: String) -> JSONValue { json?[key] ?? .null }

  /// A text.
  package func text(_ key: String, _ usual: String) -> String { json?[key]?.string ?? usual }
}

/// What a class does with a vocabulary, in the words of tokenizer.json.
public struct TokenizerPlan: Sendable {
  /// A step of a tokenizer.json, or what takes the table of characters of a model of sentencepiece.
  public enum Step: Sendable {
    case step(JSONValue)
    case charactersOfFile
  }

  /// The words before those of the file, in the order of their ids.
  public var first: [String] = []
  /// How many words of the file are left out at its start.
  public var dropped = 0
  /// The words behind them.
  public var last: [String] = []
  /// The word for what is unknown; `nil` if there is none, or the file says which.
  public var unknown: String?
  /// Its id, if that is another word's.
  public var unknownID: Int?
  /// What ends a word in the vocabulary.
  public var wordEnd: String?
  /// What is done to texts, one after the other.
  public var normalizers: [Step] = []
  /// How they are cut.
  public var cuts: [JSONValue] = [TokenizerPlan.spaces, TokenizerPlan.metaspace()]
  /// How texts are made of tokens.
  public var decoder = TokenizerPlan.metaspace()
  /// The tokens around a text, which is `A`, with their types: `[CLS] A [SEP]`.
  public var single: [Around] = []
  /// Those around two, `A` and `B`.
  public var pair: [Around] = []
  /// Words that are found in texts before anything else, and mean something to the model; those that the vocabulary
  /// does not have come behind it.
  public var marks: [String] = []
  /// Those of them that take the spaces before them.
  public var takesSpaces: Set<String> = []
  /// Those that take the spaces behind them.
  public var takesSpacesBehind: Set<String> = []
  /// Whether words are divided into pieces (WordPiece).
  public var isWordPieces = false
  /// Whether every word of the file is found in texts before anything else.
  public var findsAllWords = false
  /// Whether the bytes of tokens do without the spaces around them.
  public var trimsSpaces: Bool?
  /// Whether a space was put before a text.
  public var addsSpace = false

  /// A place around texts.
  public enum Around: Sendable {
    /// Text 0 or 1, and the type of its tokens.
    case text(Int, type: Int = 0)
    case token(String, type: Int = 0)
  }

  package init() {}

  // MARK: Steps

  /// Texts of bytes, of which pairs are put together.
  package mutating func useBytes(_ settings: TokenizerSettings) {
    addsSpace = settings.flag("add_prefix_space", false)
    cuts = [Self.bytes(addsSpace: addsSpace)]
    decoder = Self.bytes(addsSpace: true)
  }

  /// The first and last tokens of each text, where settings ask for them; none without.
  package mutating func frame(_ settings: TokenizerSettings, start: String?, end: String?) {
    let start = settings.flag("add_bos_token", false) ? start : nil
    let end = settings.flag("add_eos_token", false) ? end : nil
    func around(_ text: Int) -> [Around] {
      (start.map { [.token($0, type: text)] } ?? []) + [.text(text, type: text)]
        + (end.map { [.token($0, type: text)] } ?? [])
    }
    single = around(0)
    pair = around(0) + around(1)
  }

  /// Pieces of words between marks of their own, and types of two texts.
  package static func wordPieces(_ settings: TokenizerSettings) -> TokenizerPlan {
    var plan = TokenizerPlan()
    let (start, end) = (settings.word("cls_token", "[CLS]"), settings.word("sep_token", "[SEP]"))
    let unknown = settings.word("unk_token", "[UNK]")
    plan.unknown = unknown
    plan.useWordPieces(settings)
    plan.marks = [
      unknown, end, settings.word("pad_token", "[PAD]"), start,
      settings.word("mask_token", "[MASK]"),
    ]
    plan.frame(start, end)
    return plan
  }

  /// Pairs of bytes between marks, of which two stand between texts.
  package static func markedBytes(_ settings: TokenizerSettings) -> TokenizerPlan {
    var plan = TokenizerPlan()
    let (start, end) = (settings.word("cls_token", "<s>"), settings.word("sep_token", "</s>"))
    plan.useBytes(settings)
    plan.marks = [
      settings.word("bos_token", "<s>"), settings.word("eos_token", "</s>"),
      settings.word("unk_token", "<unk>"), end, settings.word("pad_token", "<pad>"), start,
      settings.word("mask_token", "<mask>"),
    ]
    plan.frameBoth(start, end)
    plan.trimsSpaces = settings.flag("trim_offsets", true)
    return plan
  }

  /// Texts as pieces of words are made of them.
  package mutating func useWordPieces(_ settings: TokenizerSettings) {
    normalizers = [
      .step([
        "type": "BertNormalizer", "clean_text": true,
        "handle_chinese_chars": .bool(settings.flag("tokenize_chinese_chars", true)),
        "strip_accents": settings.value("strip_accents"),
        "lowercase": .bool(settings.flag("do_lower_case", true)),
      ])
    ]
    cuts = [["type": "BertPreTokenizer"]]
    decoder = ["type": "WordPiece", "prefix": "##", "cleanup": true]
    isWordPieces = true
  }

  package static let spaces: JSONValue = ["type": "WhitespaceSplit"]

  package static func metaspace(_ scheme: String = "always") -> JSONValue {
    [
      "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": .string(scheme),
      "split": true,
    ]
  }

  package static func bytes(addsSpace: Bool = false, isCut: Bool = true) -> JSONValue {
    [
      "type": "ByteLevel", "add_prefix_space": .bool(addsSpace), "trim_offsets": true,
      "use_regex": .bool(isCut),
    ]
  }

  /// `A` between two tokens, and `B` after it before another one of the second, with types 0 and 1.
  package mutating func frame(_ start: String, _ end: String) {
    single = [.token(start), .text(0), .token(end)]
    pair = single + [.text(1, type: 1), .token(end, type: 1)]
  }

  /// `A` between two tokens, and `B` between two of the second, all of type 0.
  package mutating func frameBoth(_ start: String, _ end: String) {
    single = [.token(start), .text(0), .token(end)]
    pair = single + [.token(end), .text(1), .token(end)]
  }
}

extension JSONValue {
  /// A step that cuts texts at the matches of a pattern.
  package static func cut(_ pattern: String, _ behavior: String, isInverted: Bool = false) -> Self {
    [
      "type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": .string(behavior),
      "invert": .bool(isInverted),
    ]
  }
}

extension TokenizerPlan.Step {
  package static func replace(_ text: String, _ other: String) -> Self {
    .step(["type": "Replace", "pattern": ["String": .string(text)], "content": .string(other)])
  }

  package static func replace(matches pattern: String, _ other: String) -> Self {
    .step(["type": "Replace", "pattern": ["Regex": .string(pattern)], "content": .string(other)])
  }

  package static func named(_ name: String) -> Self { .step(["type": .string(name)]) }
}

extension [Family] {
  /// The class of tokenizers of a model.
  ///
  /// - Parameters:
  ///   - name: what tokenizer_config.json calls it, with `Fast` or without; `nil` if it does not.
  ///   - model: the `model_type`.
  package func tokenizerClass(named name: String?, for model: String?) -> TokenizerClass? {
    let classes = lazy.flatMap(\.tokenizers)
    guard let name else { return classes.first { model.map($0.models.contains) ?? false } }
    let plain = name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
    return classes.first { $0.name == plain }
  }
}
