import Containers
import TensorCore

/// The tokenizer inside of a GGUF file as Hugging Face's files, tokenizer.json and tokenizer_config.json.
///
/// Keys: gguf-py 0.19, `constants.py`, `Keys.Tokenizer`; what they mean: llama.cpp, src/llama-vocab.cpp. What files do not
/// say is as in the tokenizers that they are made of: tokenizer.json of `tokenizers` 0.23, and for pieces what
/// `transformers` 5.23 makes of a tokenizer.model (convert_slow_tokenizer.py, `LlamaConverter`).
struct HuggingFaceTokenizer {
  /// tokenizer.json.
  let tokenizer: JSONValue
  /// tokenizer_config.json.
  let settings: JSONValue

  /// - Throws: `Obstacle` if it cannot be translated.
  init(_ values: GGUFKeyValues) throws(Obstacle) {
    var words = try TokenizerWords(values)
    let model: JSONValue
    let way: Way
    switch values.json("tokenizer.ggml.model")?.string {
    case "gpt2": (model, way) = try Self.pairs(values, words)
    case "llama": (model, way) = try Self.pieces(values, words)
    case "t5": (model, way) = try Self.scoredPieces(values, words)
    case "bert":
      words = try words.asWordPieces()
      (model, way) = try Self.wordPieces(values, words)
    case let other: throw Obstacle("its kind, \(other ?? "none"), is not known")
    }
    let added = Self.addedMarks(values, words, way)
    tokenizer = .object([
      .init("version", "1.0"), .init("truncation", .null), .init("padding", .null),
      .init("added_tokens", .array(words.added)), .init("normalizer", way.normalizer),
      .init("pre_tokenizer", way.preTokenizer),
      .init("post_processor", Self.template(added, words) ?? way.postProcessor),
      .init("decoder", way.decoder), .init("model", model),
    ])
    settings = Self.settings(values, words, added)
  }

  /// Why a tokenizer is not translated.
  struct Obstacle: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// What a kind of tokenizer does with texts around its words.
  struct Way {
    let normalizer: JSONValue
    let preTokenizer: JSONValue
    var postProcessor: JSONValue = .null
    let decoder: JSONValue
    var addsBeginning = false
    var addsEnd = false
    /// Whether texts are between the words for classes and separators, whatever else a file says.
    var isBetweenMarks = false
  }

  /// Pairs of bytes.
  private static func pairs(
    _ values: GGUFKeyValues, _ words: TokenizerWords
  ) throws(Obstacle) -> (JSONValue, Way) {
    let name = values.json("tokenizer.ggml.pre")?.string ?? "default"
    guard let cutting = TextCutting(named: name) else {
      throw Obstacle("its way of cutting texts, \(name), is not known")
    }
    guard let lines = values.json("tokenizer.ggml.merges")?.elements?.map(\.string) else {
      throw Obstacle("it has no list of pairs")
    }
    var merges: [(String, String)] = []
    for line in lines {
      let pair = line.map { pairWords($0) } ?? []
      guard pair.count == 2, words.has(pair[0]), words.has(pair[1]), words.has(pair[0] + pair[1])
      else { throw Obstacle("a pair is none of words that it has") }
      merges.append((pair[0], pair[1]))
    }
    let bytes: JSONValue = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
    ]
    let model = Self.model(
      words, merges, unknown: nil, ignoresMerges: cutting.ignoresMerges, hasBytes: false)
    return (
      model,
      Way(
        normalizer: cutting.normalizer, preTokenizer: cutting.preTokenizer, postProcessor: bytes,
        decoder: bytes, addsBeginning: cutting.addsBeginning)
    )
  }

  /// Pieces, as SentencePiece puts them together of pairs.
  private static func pieces(
    _ values: GGUFKeyValues, _ words: TokenizerWords
  ) throws(Obstacle) -> (JSONValue, Way) {
    let scores = values.json("tokenizer.ggml.scores")?.elements?.compactMap(\.double) ?? []
    guard scores.count == words.texts.count else { throw Obstacle("it has no score for each word") }
    guard words.lengthsSquared <= 1 << 28 else { throw Obstacle("its words are too long") }
    let merges = PieceMerges.all(
      words.ids { $0 == .normal }.map { (text: words.texts[$0], id: $0, score: scores[$0]) })
    let unknown = words.mark("unk", values) ?? words.ids { $0 == .unknown }.first
    let model = Self.model(
      words, merges, unknown: unknown.map { words.texts[$0] },
      ignoresMerges: false, hasBytes: words.ids { $0 == .byte }.count == 256)
    let hasSpace = values.json("tokenizer.ggml.add_space_prefix")?.bool ?? true
    return (
      model,
      Way(
        normalizer: PieceSpaces.normalizer(before: hasSpace), preTokenizer: .null,
        postProcessor: .null, decoder: PieceSpaces.decoder(before: hasSpace), addsBeginning: true)
    )
  }

  private static func model(
    _ words: TokenizerWords, _ merges: [(String, String)], unknown: String?, ignoresMerges: Bool,
    hasBytes: Bool
  ) -> JSONValue {
    .object([
      .init("type", "BPE"), .init("dropout", .null),
      .init("unk_token", unknown.map { .string($0) } ?? .null),
      .init("continuing_subword_prefix", .null), .init("end_of_word_suffix", .null),
      .init("fuse_unk", .bool(unknown != nil)), .init("byte_fallback", .bool(hasBytes)),
      .init("ignore_merges", .bool(ignoresMerges)), .init("vocab", .object(words.vocabulary)),
      .init("merges", .array(merges.map { [.string($0.0), .string($0.1)] })),
    ])
  }
}

extension HuggingFaceTokenizer {
  /// The words that are added before and behind a text.
  private struct AddedMarks {
    var beginning: Int?
    var end: Int?
    /// Whether the second text of a pair has one before it, too.
    var beginsBoth = true
    /// What stands between the two of a pair beside the end of the first; then no type tells them apart.
    var separator: Int?
  }

  private static func addedMarks(
    _ values: GGUFKeyValues, _ words: TokenizerWords, _ way: Way
  ) -> AddedMarks {
    if way.isBetweenMarks {
      return AddedMarks(
        beginning: words.mark("cls", values) ?? words.texts.firstIndex(of: "[CLS]"),
        end: words.mark("sep", values) ?? words.texts.firstIndex(of: "[SEP]"), beginsBoth: false)
    }
    func id(_ mark: String, _ isUsual: Bool) -> Int? {
      let isAdded = values.json("tokenizer.ggml.add_\(mark)_token")?.bool ?? isUsual
      return isAdded ? words.mark(mark, values) : nil
    }
    let separator = id("sep", false)
    return AddedMarks(
      beginning: id("bos", way.addsBeginning), end: id("eos", way.addsEnd),
      beginsBoth: separator == nil, separator: separator)
  }

  /// What puts them there; `nil` if there are none.
  private static func template(_ added: AddedMarks, _ words: TokenizerWords) -> JSONValue? {
    func token(_ id: Int?, _ text: Int) -> [JSONValue] {
      id.map { [["SpecialToken": ["id": .string(words.texts[$0]), "type_id": .number(text)]]] }
        ?? []
    }
    func text(_ name: String, _ number: Int) -> [JSONValue] {
      let type = added.separator == nil ? number : 0
      let begins = number == 0 || added.beginsBoth
      return (begins ? token(added.beginning, type) : token(added.separator, type))
        + [["Sequence": ["id": .string(name), "type_id": .number(type)]]]
        + token(added.end, type)
    }
    let ids = Set([added.beginning, added.end, added.separator].compactMap(\.self)).sorted()
    if ids.isEmpty { return nil }
    let tokens = ids.map { id -> JSONValue.Member in
      let word = JSONValue.string(words.texts[id])
      return .init(
        words.texts[id], ["id": word, "ids": [.number(id)], "tokens": [word]])
    }
    return [
      "type": "TemplateProcessing", "single": .array(text("A", 0)),
      "pair": .array(text("A", 0) + text("B", 1)), "special_tokens": .object(tokens),
    ]
  }

  private static func settings(
    _ values: GGUFKeyValues, _ words: TokenizerWords, _ added: AddedMarks
  ) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("add_bos_token", .bool(added.beginning != nil)),
      .init("add_eos_token", .bool(added.end != nil)),
    ]
    for mark in MarkName.all {
      guard let id = words.mark(mark.usual, values) else { continue }
      members.append(.init("\(mark.usual)_token", .string(words.texts[id])))
    }
    if let template = values.json("tokenizer.chat_template") {
      members.append(.init("chat_template", template))
    }
    members.append(.init("clean_up_tokenization_spaces", false))
    members.append(.init("tokenizer_class", "PreTrainedTokenizerFast"))
    return .object(members)
  }

  /// The files.
  var files: [(name: String, bytes: [UInt8])] {
    [("tokenizer.json", tokenizer), ("tokenizer_config.json", settings)].map {
      ($0.0, Array(($0.1.text(pretty: true) + "\n").utf8))
    }
  }
}
