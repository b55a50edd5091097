import TensorCore

/// A way to cut texts into words before bytes are paired, as llama.cpp names it, and as a tokenizer.json says it.
///
/// Source: llama.cpp, src/llama-vocab.cpp: names in `llama_vocab::impl::load`, expressions in `llm_tokenizer_bpe`;
/// where it says what the expression of the original tokenizer is, that one.
struct TextCutting {
  /// What llama.cpp calls it. The first name is written.
  let names: [String]
  /// Expressions by which a text is cut, one after the other: what matches is a word, and what stands between.
  let expressions: [String]
  /// Whether a word that is in the vocabulary as a whole is not put together of pairs.
  var ignoresMerges = false
  /// Whether texts are composed first (NFC), in the original tokenizers: llama.cpp never does.
  var composes = false
  /// Whether texts begin with a token of their own if a file does not say.
  var addsBeginning = false

  /// The way of a name.
  init?(named name: String) {
    guard let found = Self.all.first(where: { $0.names.contains(name) }) else { return nil }
    self = found
  }

  private init(
    _ names: [String], _ expressions: [String], ignoresMerges: Bool = false,
    composes: Bool = false, addsBeginning: Bool = false
  ) {
    (self.names, self.expressions) = (names, expressions)
    (self.ignoresMerges, self.composes) = (ignoresMerges, composes)
    self.addsBeginning = addsBeginning
  }
}

// MARK: tokenizer.json

extension TextCutting {
  /// The way in which a tokenizer.json cuts texts, if it is one of these.
  init?(of tokenizer: JSONValue) {
    let expressions = Self.expressions(of: tokenizer["pre_tokenizer"])
    guard let expressions, let composes = Self.composes(tokenizer["normalizer"]) else { return nil }
    let ignoresMerges = tokenizer["model"]?["ignore_merges"]?.bool ?? false
    let found = Self.all.first {
      $0.expressions == expressions && $0.ignoresMerges == ignoresMerges && $0.composes == composes
    }
    guard let found else { return nil }
    self = found
  }

  /// The pre-tokenizer that cuts so.
  var preTokenizer: JSONValue {
    let endsUsual = expressions.last == Self.usual
    let splits = expressions.dropLast(endsUsual ? 1 : 0).map { expression -> JSONValue in
      [
        "type": "Split", "pattern": ["Regex": .string(expression)], "behavior": "Isolated",
        "invert": false,
      ]
    }
    let bytes: JSONValue = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
      "use_regex": .bool(endsUsual),
    ]
    return splits.isEmpty
      ? bytes : ["type": "Sequence", "pretokenizers": .array(splits + [bytes])]
  }

  /// What is done to a text before it is cut.
  var normalizer: JSONValue { composes ? ["type": "NFC"] : .null }

  /// The expressions by which a pre-tokenizer cuts, if it cuts by nothing else and bytes are paired behind it.
  private static func expressions(of preTokenizer: JSONValue?) -> [String]? {
    let steps = preTokenizer.map { $0["pretokenizers"]?.elements ?? [$0] } ?? []
    guard let last = steps.last, last["type"]?.string == "ByteLevel",
      last["add_prefix_space"]?.bool != true
    else { return nil }
    var expressions: [String] = []
    for step in steps.dropLast() {
      guard let expression = expression(of: step) else { return nil }
      expressions.append(expression)
    }
    return last["use_regex"]?.bool != false ? expressions + [usual] : expressions
  }

  private static func expression(of step: JSONValue) -> String? {
    switch step["type"]?.string {
    case "Digits": return step["individual_digits"]?.bool == true ? #"\p{N}"# : #"\p{N}+"#
    case "Split":
      // What is isolated stands for itself; so does what is kept where all else is removed, since all matches.
      let isInverted = step["invert"]?.bool ?? false
      let isKept =
        step["behavior"]?.string == "Isolated" && !isInverted
        || step["behavior"]?.string == "Removed" && isInverted
      guard isKept, let text = step["pattern"]?["Regex"]?.string else { return nil }
      return text.replacing("\r", with: #"\r"#).replacing("\n", with: #"\n"#)
    default: return nil
    }
  }

  /// Whether a normalizer composes texts, and does nothing else; `nil` if it does something else.
  private static func composes(_ normalizer: JSONValue?) -> Bool? {
    guard let normalizer, normalizer != .null else { return false }
    let steps = normalizer["normalizers"]?.elements ?? [normalizer]
    return steps.allSatisfy { $0["type"]?.string == "NFC" } ? !steps.isEmpty : nil
  }
}

// MARK: The ways

extension TextCutting {
  /// That of GPT-2.
  private static let usual =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  private static let digit = #"\p{N}"#

  /// That of many models: they differ in how many digits stay together.
  private static func words(digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// Words that change from small to capital letters are cut there; with what may follow a word.
  private static func cases(_ ending: String, digits: String) -> String {
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"# + ending
      + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"# + ending
      + "|" + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  private static let sentence = #" ?[^(\s|[.,!?…。，、।۔،])]+"#

  private static let all: [TextCutting] = [
    TextCutting(
      [
        "gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "gigachat", "a.x-4.0",
        "mellum", "modern-bert", "exaone4", "jais", "trillion", "granite-docling", "roberta-bpe",
        "jina-v1-en", "jina-v2-code",
      ], [usual]),
    TextCutting(["olmo", "mpt"], [usual], composes: true),
    TextCutting(
      ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
      [words(digits: #"\p{N}{1,3}"#)], ignoresMerges: true, addsBeginning: true),
    TextCutting(["smaug-bpe", "dbrx", "chatglm-bpe"], [words(digits: #"\p{N}{1,3}"#)]),
    TextCutting(["glm4", "glm5"], [words(digits: #"\p{N}{1,3}"#)], ignoresMerges: true),
    TextCutting(
      ["qwen2", "deepseek-r1-qwen", "megrez", "kormo", "f2llmv2"], [words(digits: digit)],
      composes: true),
    TextCutting(["stablelm2", "hunyuan", "solar-open", "grok-2"], [words(digits: digit)]),
    TextCutting(
      ["starcoder", "refact", "smollm", "codeshell", "exaone", "minerva-7b"], [digit, usual]),
    TextCutting(["command-r"], [digit, usual], composes: true),
    TextCutting(
      ["gpt-4o", "llama4", "kanana2"],
      [cases("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", digits: #"\p{N}{1,3}"#)]),
    TextCutting(
      ["tekken"], [cases("", digits: digit)], ignoresMerges: true, addsBeginning: true),
    TextCutting(
      ["deepseek-v3", "hunyuan-dense", "joyai-llm"],
      [
        #"\p{N}{1,3}"#, "[一-龥぀-ゟ゠-ヿ]+",
        ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
      ]),
    TextCutting(
      ["deepseek-coder"],
      [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[一-龥ࠀ-一가-퟿]+", digit]),
    TextCutting(
      ["falcon"], [#"[\p{P}\$\+<=>\^~\|`]+"#, usual, "[0-9][0-9][0-9]"]),
    TextCutting(["bloom", "poro-chat", "gpt3-finnish"], [sentence]),
    TextCutting(["viking"], [sentence, digit]),
    TextCutting(
      ["default"], [#"[\p{P}\$\+<=>\^~\|]+"#, usual, #"\p{N}+"#, "[0-9][0-9][0-9]"]),
  ]
}
