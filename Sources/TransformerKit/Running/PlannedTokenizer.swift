import Models
import TensorCore
import Tokenizers

/// A vocabulary's file, and what a class makes of it: a tokenizer.json.
///
/// Source: transformers 5.23, `tokenization_utils_tokenizers.py` (`TokenizersBackend.__init__`: which words become added
/// tokens, and with which ids) and `convert_slow_tokenizer.py` (`SentencePieceExtractor`).
struct PlannedTokenizer {
  private let plan: TokenizerPlan
  /// The words in the order of their ids, and what their choice costs.
  private var words: [[UInt8]] = []
  private var scores: [Double] = []
  /// The last id of each word.
  private var ids: [[UInt8]: Int] = [:]
  /// The words of a file that has their ids.
  private var table: WordTable?
  private var merges: [JSONValue] = []
  private var added: [JSONValue] = []
  private var nextID = 0

  // MARK: Vocabularies

  /// Pieces of a model of sentencepiece.
  init(pieces bytes: [UInt8], _ plan: TokenizerPlan, _ beside: AddedWords) throws(CheckpointError) {
    self.plan = plan
    let file = try SentencePieceFile(bytes)
    guard file.algorithm == 1 else {
      throw CheckpointError(.unsupported("a sentencepiece model that chooses no pieces by scores"))
    }
    let kept = file.pieces.dropFirst(plan.dropped)
    words = plan.first.map { Array($0.utf8) } + kept.map(\.text) + plan.last.map { Array($0.utf8) }
    scores =
      plan.first.map { _ in 0 } + kept.map { Double($0.score) }
      + plan.last.map { _ in 0 }
    number()
    // What the file says of a word goes before what others say.
    for piece in file.pieces where piece.kind == .control || piece.kind == .userDefined {
      add(piece.text, isSpecial: piece.kind == .control)
    }
    add(beside)
    let unknown =
      plan.unknownID ?? plan.unknown.flatMap { ids[Array($0.utf8)] }
      ?? file.pieces.firstIndex { $0.kind == .unknown }
    guard let unknown, words.indices.contains(unknown) else {
      throw CheckpointError(.malformed("no piece for what is unknown"))
    }
    let model: JSONValue = [
      "type": "Unigram", "unk_id": .number(unknown), "byte_fallback": false,
      "vocab": .array(
        words.indices.map { [.string(Self.string(words[$0])), .double(scores[$0])] }),
    ]
    text = try text(model: Array(model.text().utf8), characters: file.charsmap)
  }

  /// A word a line.
  init(lines bytes: [UInt8], _ plan: TokenizerPlan, _ beside: AddedWords) throws(CheckpointError) {
    self.plan = plan
    words = bytes.split(separator: 10, omittingEmptySubsequences: false).map { line in
      Array(line.last == 13 ? line.dropLast() : line)
    }
    if words.last == [] { words.removeLast() }
    guard (try? UTF8Span(validating: bytes.span)) != nil, let unknown = plan.unknown else {
      throw CheckpointError(.malformed("not valid UTF-8"))
    }
    number()
    add(beside)
    if plan.findsAllWords { for word in words { add(word, isSpecial: false) } }
    let model: JSONValue =
      plan.isWordPieces
      ? [
        "type": "WordPiece", "unk_token": .string(unknown), "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": vocabulary,
      ] : ["type": "WordLevel", "vocab": vocabulary, "unk_token": .string(unknown)]
    text = try text(model: Array(model.text().utf8))
  }

  /// Words with their ids, and which are put together.
  init(
    words list: [UInt8], merges lines: [UInt8], _ plan: TokenizerPlan, _ beside: AddedWords
  ) throws(CheckpointError) {
    self.plan = plan
    let table = try WordTable(json: list)
    self.table = table
    nextID = table.count
    for line in lines.split(separator: 10) where !line.starts(with: "#version".utf8) {
      let plain = line.last == 13 ? line.dropLast() : line
      if !plain.isEmpty { merges.append(.string(Self.string(Array(plain)))) }
    }
    guard (try? UTF8Span(validating: lines.span)) != nil else {
      throw CheckpointError(.malformed("merges.txt is not valid UTF-8"))
    }
    add(beside)
    text = try text(model: pairs(list))
  }

  /// The bytes themselves.
  init(bytes plan: TokenizerPlan, _ beside: AddedWords) throws(CheckpointError) {
    self.plan = plan
    words =
      plan.first.map { Array($0.utf8) }
      + (UInt8.min...UInt8.max).map { ByteCharacters.word(of: [$0]) }
      + plan.last.map { Array($0.utf8) }
    number()
    add(beside)
    text = try text(model: pairs(Array(vocabulary.text().utf8)))
  }

  /// - Parameter vocabulary: words and their ids as JSON.
  private func pairs(_ vocabulary: [UInt8]) -> [UInt8] {
    let head: JSONValue = .object([
      .init("type", "BPE"), .init("unk_token", plan.unknown.map { .string($0) } ?? .null),
      .init("end_of_word_suffix", .string(plan.wordEnd ?? "")),
      .init("merges", .array(merges)),
    ])
    return Self.joined(head, "vocab", vocabulary)
  }

  /// An object with a further member, whose value is JSON already.
  private static func joined(_ object: JSONValue, _ key: String, _ value: [UInt8]) -> [UInt8] {
    Array(object.text().utf8.dropLast()) + Array(",\"\(key)\":".utf8) + value + [0x7D]
  }

  private var vocabulary: JSONValue {
    .object(ids.map { .init(Self.string($0.key), .number($0.value)) })
  }

  private func id(of word: [UInt8]) -> Int? { ids[word] ?? table?.id(of: word) }

  private mutating func number() {
    for (id, word) in words.enumerated() { ids[word] = id }
    nextID = words.count
  }

  private static func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  // MARK: Added tokens

  /// What files beside a vocabulary say of added tokens.
  struct AddedWords {
    let settings: JSONValue?
    /// added_tokens.json: words and their ids.
    let list: JSONValue?

    private static let usual: Set<String> = [
      "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]

    /// Tokens that settings name beside the usual ones.
    var further: [JSONValue] {
      let own = (settings?.members ?? []).filter {
        $0.key.hasSuffix("_token") && !Self.usual.contains($0.key) && $0.value.bool == nil
      }.map(\.value)
      let list = settings?["extra_special_tokens"] ?? settings?["additional_special_tokens"]
      return own + (list?.elements ?? list?.members?.map(\.value) ?? [])
    }

    /// The texts of all tokens that settings name.
    var special: [String] {
      let named = (settings?.members ?? []).filter { Self.usual.contains($0.key) }.map(\.value)
      return (named + further).compactMap { $0.string ?? $0["content"]?.string }
    }
  }

  /// Adds the words that files beside the vocabulary name, and those that the class does.
  private mutating func add(_ beside: AddedWords) {
    let given = (beside.settings?["added_tokens_decoder"]?.members ?? [])
      .sorted { Int($0.key) ?? .max < Int($1.key) ?? .max }
    for member in given { add(member.value, isMark: false) }
    let special = beside.special
    let listed = (beside.list?.members ?? []).sorted { $0.value.int ?? .max < $1.value.int ?? .max }
    for member in listed {
      let isSpecial = special.contains { $0.utf8.elementsEqual(member.key.utf8) }
      add(
        [
          "content": .string(member.key), "normalized": .bool(!isSpecial),
          "special": .bool(isSpecial),
        ], isMark: plan.marks.contains { $0.utf8.elementsEqual(member.key.utf8) })
    }
    for mark in plan.marks {
      let own = beside.settings?.members?.lazy.map(\.value).first {
        $0["content"]?.string.map { $0.utf8.elementsEqual(mark.utf8) } ?? false
      }
      if let own {
        add(own, isMark: true)
      } else {
        add(
          Array(mark.utf8), isSpecial: true, takesLeft: plan.takesSpaces.contains(mark),
          takesRight: plan.takesSpacesBehind.contains(mark))
      }
    }
    for token in beside.further {
      if let text = token.string {
        add(Array(text.utf8), isSpecial: true)
      } else {
        add(token, isMark: true)
      }
    }
  }

  /// Adds a token as a settings file describes it.
  private mutating func add(_ token: JSONValue, isMark: Bool) {
    guard let content = token["content"]?.string else { return }
    add(
      Array(content.utf8), isSpecial: isMark || token["special"]?.bool == true,
      takesLeft: token["lstrip"]?.bool ?? false, takesRight: token["rstrip"]?.bool ?? false,
      isNormalized: token["normalized"]?.bool ?? false, isWord: token["single_word"]?.bool ?? false)
  }

  /// Adds a token, unless one of that word was added. It has the id that the vocabulary gives it, or the next one.
  private mutating func add(
    _ word: [UInt8], isSpecial: Bool, takesLeft: Bool = false, takesRight: Bool = false,
    isNormalized: Bool = false, isWord: Bool = false
  ) {
    let content = Self.string(word)
    guard !word.isEmpty, addedWords.insert(word).inserted else { return }
    let id = id(of: word) ?? nextID
    if id == nextID {
      ids[word] = id
      nextID += 1
    }
    added.append([
      "id": .number(id), "content": .string(content), "single_word": .bool(isWord),
      "lstrip": .bool(takesLeft), "rstrip": .bool(takesRight), "normalized": .bool(isNormalized),
      "special": .bool(isSpecial),
    ])
  }

  private var addedWords: Set<[UInt8]> = []

  // MARK: The file

  /// tokenizer.json.
  private(set) var text: [UInt8] = []

  private func text(
    model: [UInt8], characters: [UInt8] = []
  ) throws(CheckpointError) -> [UInt8] {
    var steps: [JSONValue] = []
    for step in plan.normalizers {
      switch step {
      case .step(let json): steps.append(json)
      case .charactersOfFile where characters.isEmpty: break
      case .charactersOfFile:
        steps.append([
          "type": "Precompiled", "precompiled_charsmap": .string(encodeBase64(characters)),
        ])
      }
    }
    let head: JSONValue = .object([
      .init("version", "1.0"), .init("added_tokens", .array(added)),
      .init("normalizer", ["type": "Sequence", "normalizers": .array(steps)]),
      .init("pre_tokenizer", ["type": "Sequence", "pretokenizers": .array(plan.cuts)]),
      .init("post_processor", try around()), .init("decoder", plan.decoder),
    ])
    return Self.joined(head, "model", model)
  }

  private func around() throws(CheckpointError) -> JSONValue {
    var marks: [JSONValue.Member] = []
    func place(_ around: TokenizerPlan.Around) throws(CheckpointError) -> JSONValue {
      switch around {
      case .text(let index, let type):
        return ["Sequence": ["id": index == 0 ? "A" : "B", "type_id": .number(type)]]
      case .token(let text, let type):
        guard let id = id(of: Array(text.utf8)) else {
          throw CheckpointError(.malformed("no word \(escaped(text)), which stands around texts"))
        }
        let word = JSONValue.string(text)
        marks.append(.init(text, ["id": word, "ids": [.number(id)], "tokens": [word]]))
        return ["SpecialToken": ["id": word, "type_id": .number(type)]]
      }
    }
    var (single, pair): ([JSONValue], [JSONValue]) = ([], [])
    for part in plan.single { single.append(try place(part)) }
    for part in plan.pair { pair.append(try place(part)) }
    if let trims = plan.trimsSpaces, let start = marks.first, let end = marks.last {
      func mark(_ member: JSONValue.Member) -> JSONValue {
        [.string(member.key), member.value["ids"]?.elements?.first ?? .null]
      }
      return [
        "type": "RobertaProcessing", "sep": mark(end), "cls": mark(start),
        "trim_offsets": .bool(trims), "add_prefix_space": .bool(plan.addsSpace),
      ]
    }
    var seen: Set<String> = []
    return [
      "type": "TemplateProcessing", "single": .array(single), "pair": .array(pair),
      "special_tokens": .object(marks.filter { seen.insert($0.key).inserted }),
    ]
  }
}
