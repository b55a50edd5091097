public import TensorCore

extension Tokenizer {
  /// The most bytes of a tokenizer's file.
  public static let largestFile = 64 << 20

  /// Reads a tokenizer.json, as tokenizers 0.23 writes and reads it.
  ///
  /// - Throws: `CheckpointError`: malformed, or unsupported if it asks for what is not known here.
  public init(tokenizerJSON bytes: [UInt8]) throws(CheckpointError) {
    let file = try TokenizerFile(bytes)
    let normalizer = try file.step("normalizer") { (fields) throws(CheckpointError) in
      try Normalizer(fields)
    }
    let preTokenizer = try file.step("pre_tokenizer") { (fields) throws(CheckpointError) in
      try PreTokenizer(fields)
    }
    let endsInBytes: Bool =
      switch preTokenizer {
      case .byteLevel: true
      case .sequence(let steps):
        if case .byteLevel = steps.last { true } else { false }
      default: false
      }
    self.init(format: "tokenizer.json", model: try file.model(endsInBytes: endsInBytes))
    self.normalizer = normalizer
    self.preTokenizer = preTokenizer
    postProcessor = try file.step("post_processor") { (fields) throws(CheckpointError) in
      try PostProcessor(fields)
    }
    decoder = try file.step("decoder") { (fields) throws(CheckpointError) in
      try Decoder(fields)
    }
    truncation = try file.step("truncation") { (fields) throws(CheckpointError) in
      try Truncation(fields)
    }
    padding = try file.step("padding") { (fields) throws(CheckpointError) in
      try Padding(fields)
    }
    let known = self
    added = try AddedTokens(
      try file.addedTokens { known.id(of: $0) }, normalizer)
  }
}

/// The parts of a tokenizer.json: the vocabulary is read where it stands, all else is small.
struct TokenizerFile {
  /// Bytes of a part of which values are made, each taking many bytes of memory.
  private static let largestPart = 4 << 20
  /// The most added tokens.
  private static let mostAdded = 1 << 18

  private let json: CheckedJSON
  private var members: [String: Range<Int>] = [:]

  init(_ bytes: [UInt8]) throws(CheckpointError) {
    json = CheckedJSON(bytes: bytes)
    guard bytes.count <= Tokenizer.largestFile else {
      throw CheckpointError(
        .limitExceeded("the size", limit: Tokenizer.largestFile, found: bytes.count))
    }
    do {
      try JSONScanner.visitMembers(of: bytes, grammar: .python) { members[$0.key] = $0.value }
    } catch {
      throw Self.error(error)
    }
    if let version = try value("version"), version.string != "1.0" {
      throw CheckpointError(.unsupported("a tokenizer.json of version \(version.text())"))
    }
    guard members["model"] != nil else {
      throw CheckpointError(.malformed("no tokenizer.json: it has no \"model\""))
    }
  }

  static func error(_ error: JSONError) -> CheckpointError {
    CheckpointError(.malformed(error.reason), offset: error.offset)
  }

  /// The value of a key, if it is there and not null.
  private func value(_ key: String) throws(CheckpointError) -> JSONValue? {
    guard let range = members[key] else { return nil }
    let value = try Self.parse(json.bytes, range)
    return value == .null ? nil : value
  }

  /// A value, which is small.
  static func parse(_ bytes: [UInt8], _ range: Range<Int>) throws(CheckpointError) -> JSONValue {
    guard range.count <= largestPart else {
      throw CheckpointError(
        .limitExceeded("the size of a part", limit: largestPart, found: range.count),
        offset: range.lowerBound)
    }
    do {
      return try JSONValue(parsing: Array(bytes[range]), grammar: .python)
    } catch {
      throw CheckpointError(.malformed(error.reason), offset: range.lowerBound + error.offset)
    }
  }

  /// The step that a key says, if there is one.
  func step<Step>(
    _ key: String, _ make: (FileFields) throws(CheckpointError) -> Step
  ) throws(CheckpointError) -> Step? {
    guard let value = try value(key) else { return nil }
    return try make(FileFields(value, key))
  }

  /// The added tokens. The vocabulary's id counts where it has the word, whatever is said here.
  func addedTokens(_ known: (String) -> Int?) throws(CheckpointError) -> [AddedToken] {
    guard let range = members["added_tokens"], json.bytes[range] != Array("null".utf8)[...] else {
      return []
    }
    var tokens: [AddedToken] = []
    var limit = VocabularyLimit()
    let isList = try json.visitElements(range) { (element) throws(CheckpointError) in
      let fields = FileFields(
        try Self.parse(json.bytes, element), "added_tokens[\(tokens.count)]")
      let content = try fields.string("content")
      guard !content.isEmpty else { return }
      guard tokens.count < Self.mostAdded else {
        throw CheckpointError(
          .limitExceeded(
            "the number of added tokens", limit: Self.mostAdded, found: tokens.count + 1))
      }
      try limit.add(content.utf8.count, "added token", element.lowerBound)
      let special = try fields.bool("special", false)
      let id = try fields.count("id")
      tokens.append(
        AddedToken(
          content, id: known(content) ?? id, isSpecial: special,
          isWord: try fields.bool("single_word", false),
          takesLeft: try fields.bool("lstrip", false),
          takesRight: try fields.bool("rstrip", false),
          isNormalized: try fields.bool("normalized", !special)))
    }
    guard isList else { throw CheckpointError(.malformed("added_tokens is no list")) }
    return tokens
  }

  // MARK: Model

  /// - Parameter endsInBytes: whether words are written in GPT-2's characters.
  func model(endsInBytes: Bool) throws(CheckpointError) -> Tokenizer.Model {
    var parts: [String: Range<Int>] = [:]
    let isObject = try json.visitMembers(members["model"] ?? 0..<0) { key, value in
      parts[json.text(key).map { String(decoding: $0, as: UTF8.self) } ?? ""] = value
    }
    guard isObject else { throw CheckpointError(.malformed("model is no object")) }
    var small: [JSONValue.Member] = []
    for (key, range) in parts where key != "vocab" && key != "merges" {
      small.append(JSONValue.Member(key, try Self.parse(json.bytes, range)))
    }
    let fields = FileFields(.object(small), "model")
    guard let vocabulary = parts["vocab"] else { throw fields.fault("vocab", "is missing") }
    let type = fields.type ?? Self.guessedType(fields, hasMerges: parts["merges"] != nil)
    switch type {
    case "BPE":
      return try bytePairs(
        fields, VocabularyReader(json).words(vocabulary), parts["merges"],
        endsInBytes: endsInBytes)
    case "WordPiece":
      return .wordPiece(
        WordPieceModel(
          words: try VocabularyReader(json).words(vocabulary),
          unknownWord: try fields.string("unk_token", "[UNK]"),
          prefix: try fields.string("continuing_subword_prefix", "##"),
          longestWord: try fields.count("max_input_chars_per_word", 100)))
    case "WordLevel":
      return .wordLevel(
        WordLevelModel(
          words: try VocabularyReader(json).words(vocabulary),
          unknownWord: try fields.string("unk_token", "<unk>")))
    case "Unigram": return .unigram(try unigram(fields, vocabulary))
    default: throw fields.unsupported("the type \"\(type)\"")
    }
  }

  /// The type of a model that does not say it, as files before tokenizers 0.9 do not.
  private static func guessedType(_ fields: FileFields, hasMerges: Bool) -> String {
    if hasMerges { return "BPE" }
    if fields.value["continuing_subword_prefix"] != nil { return "WordPiece" }
    return fields.value["unk_id"] != nil ? "Unigram" : "WordLevel"
  }

  private func unigram(
    _ fields: FileFields, _ vocabulary: Range<Int>
  ) throws(CheckpointError) -> UnigramModel {
    let (pieces, scores) = try VocabularyReader(json).scoredPieces(vocabulary)
    let unknown = fields.value["unk_id"].flatMap { $0 == .null ? nil : $0 }
    var id: Int?
    if unknown != nil {
      id = try fields.count("unk_id")
      guard pieces.indices.contains(id ?? -1) else {
        throw fields.fault("unk_id", "is beyond the vocabulary")
      }
    }
    return UnigramModel(
      pieces: pieces, scores: scores, unknown: id,
      hasByteFallback: try fields.bool("byte_fallback", false))
  }

  private func bytePairs(
    _ fields: FileFields, _ words: WordTable, _ merges: Range<Int>?, endsInBytes: Bool
  ) throws(CheckpointError) -> Tokenizer.Model {
    if let dropout = fields.value["dropout"]?.double, dropout != 0 {
      throw CheckpointError(
        .unsupported("model.dropout: it makes other tokens of a text each time"))
    }
    let prefix = try fields.string("continuing_subword_prefix", "")
    let suffix = try fields.string("end_of_word_suffix", "")
    let fallsBack = try fields.bool("byte_fallback", false)
    let pairs =
      try merges.map { (range) throws(CheckpointError) in
        try VocabularyReader(json).pairs(range, words, prefix: prefix.bytes)
      } ?? PairTable(capacity: 0)
    let isBytes = endsInBytes && prefix.isEmpty && suffix.isEmpty && !fallsBack
    var model =
      isBytes
      ? BytePairModel(
        words: words.asBytes, written: words, pairs: .listed(pairs), isBytes: true)
      : BytePairModel(words: words, pairs: .listed(pairs), isBytes: false)
    let unknown = try fields.string("unk_token", "")
    if !unknown.isEmpty || fields.value["unk_token"]?.string != nil {
      model.unknown = words.id(of: unknown.bytes)
      if model.unknown == nil { model.missingUnknown = unknown }
    }
    model.fusesUnknown = try fields.bool("fuse_unk", false)
    model.ignoresMerges = try fields.bool("ignore_merges", false)
    if fallsBack { model.byteTokens = byteTokens(in: words) }
    (model.prefix, model.suffix) = (prefix.bytes, suffix.bytes)
    return .bytePairs(model)
  }
}

extension WordTable {
  /// The words as the bytes that GPT-2's characters stand for; others are not found in a text.
  var asBytes: WordTable {
    var table = WordTable(capacity: count)
    for index in 0..<count {
      let (word, id) = entry(index)
      if let bytes = ByteCharacters.bytes(of: word) { table.add(bytes, id: id) }
    }
    return table
  }
}

extension Truncation {
  init(_ fields: FileFields) throws(CheckpointError) {
    let name = try fields.string("strategy")
    guard let strategy = Strategy(rawValue: name) else {
      throw fields.unsupported("the strategy \"\(name)\"")
    }
    self.init(
      length: try fields.count("max_length"), strategy: strategy,
      isLeft: try fields.string("direction", "Right") == "Left")
  }
}

extension Padding {
  init(_ fields: FileFields) throws(CheckpointError) {
    var length: Int?
    switch fields.value["strategy"] {
    case .string("BatchLongest"): length = nil
    case .object: length = try fields.object("strategy").count("Fixed")
    default: throw fields.unsupported("the strategy")
    }
    guard length ?? 0 <= Self.limit else {
      throw CheckpointError(
        .limitExceeded("padding.strategy.Fixed", limit: Self.limit, found: length ?? 0))
    }
    let multiple = try fields.count("pad_to_multiple_of", 0)
    guard multiple <= Self.limit else {
      throw CheckpointError(
        .limitExceeded("padding.pad_to_multiple_of", limit: Self.limit, found: multiple))
    }
    self.init(
      length: length, multiple: multiple,
      isLeft: try fields.string("direction", "Right") == "Left", id: try fields.count("pad_id"),
      type: try fields.count("pad_type_id", 0), text: try fields.string("pad_token"))
  }
}
