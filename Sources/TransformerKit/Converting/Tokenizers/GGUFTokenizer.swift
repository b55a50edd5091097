import Containers
import TensorCore

/// The words of a tokenizer.json, as the key-values of a GGUF file say them.
///
/// Keys: gguf-py 0.19, `constants.py`, `Keys.Tokenizer`; what they hold: llama.cpp, conversion/base.py, `get_vocab_base`
/// and `_create_vocab_sentencepiece`; gguf-py, `vocab.py`, `SpecialVocab`.
struct GGUFTokenizer {
  /// The key-values.
  var values: [JSONValue.Member] = []
  /// The table of characters that SentencePiece writes otherwise (`tokenizer.ggml.precompiled_charsmap`), if there is one.
  var characterMap: [UInt8] = []

  var words: [String]
  var kinds: [WordKind]
  /// The scores of the words that have one of their own.
  var scores: [Double] = []
  /// Words with a place of their own that tokenizer.json names: `cls`.
  var usualMarks: [String: String] = [:]

  /// - Parameters:
  ///   - tokenizer: tokenizer.json.
  ///   - settings: tokenizer_config.json, if there is one.
  ///   - template: chat_template.jinja, if there is one.
  ///   - config: the model's.
  ///   - count: how many words the model has; those without a word get a name.
  /// - Returns: `nil` if it is a tokenizer of another kind, or cuts texts in a way that is not known.
  init?(
    tokenizer: JSONValue, settings: JSONValue?, template: String? = nil, config: JSONValue,
    wordCount count: Int
  ) {
    words = (0..<count).map(padWord)
    kinds = [WordKind](repeating: .unused, count: count)
    guard let model = tokenizer["model"], add(model, tokenizer) else { return nil }
    addMarks(tokenizer, settings, config)
    if let text = settings?["chat_template"]?.string ?? template {
      values.append(.init("tokenizer.chat_template", .string(text)))
    }
  }

  /// The numbers of the words with a place of their own that a config gives, where there is no tokenizer: with which
  /// of them texts begin and end.
  static func marks(of config: JSONValue, wordCount count: Int) -> [JSONValue.Member] {
    MarkName.all.compactMap { mark in
      let value = config["\(mark.usual)_token_id"]
      guard let id = value?.int ?? value?.elements?.first?.int, (0..<count).contains(id) else {
        return nil
      }
      return JSONValue.Member(mark.idKey, .number(id))
    }
  }

  /// Says what kind of tokenizer it is; `false` if it is none that can be said.
  private mutating func add(_ model: JSONValue, _ tokenizer: JSONValue) -> Bool {
    let added = tokenizer["added_tokens"]
    let unknown = model["unk_token"]?.string
    switch model["type"]?.string {
    case "BPE":
      guard let merges = Self.merges(model["merges"]), take(model["vocab"]),
        takeAdded(added, unknown: unknown)
      else { return false }
      if model["byte_fallback"]?.bool == true { return addPieces(merges, tokenizer) }
      guard let way = TextCutting(of: tokenizer) else { return false }
      addPairs(merges, way)
      return true
    case "WordPiece":
      return take(model["vocab"]) && takeAdded(added, unknown: unknown)
        && addWordPieces(model, tokenizer)
    case "Unigram":
      guard takeScored(model), let unknown = kinds.firstIndex(of: .unknown) else { return false }
      return takeAdded(added, unknown: words[unknown]) && addScoredPieces(tokenizer)
    default: return false
    }
  }

  /// Takes the vocabulary; `false` if a number is none of the model's.
  private mutating func take(_ vocabulary: JSONValue?) -> Bool {
    for member in vocabulary?.members ?? [] {
      guard let id = member.value.int, words.indices.contains(id) else { return false }
      (words[id], kinds[id]) = (member.key, .normal)
    }
    return vocabulary?.members != nil
  }

  /// Takes the words that are found before a text is cut; `false` if a number is none of the model's.
  private mutating func takeAdded(_ added: JSONValue?, unknown: String?) -> Bool {
    for word in added?.elements ?? [] {
      guard let id = word["id"]?.int, let text = word["content"]?.string, words.indices.contains(id)
      else { return false }
      if text == unknown {
        (words[id], kinds[id]) = (text, .unknown)
      } else if word["special"]?.bool == true || Self.looksSpecial(text) {
        (words[id], kinds[id]) = (text, .control)
      } else {
        (words[id], kinds[id]) = (text.replacing(spaceMark, with: " "), .userDefined)
      }
    }
    return true
  }

  /// Whether a word that was added is taken for a control token by its looks (`does_token_look_special`).
  private static func looksSpecial(_ word: String) -> Bool {
    if ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(word) { return true }
    return word.hasPrefix("<|") && word.hasSuffix("|>")
      || word.hasPrefix("<｜") && word.hasSuffix("｜>")
      || word.hasPrefix("<unused") && word.hasSuffix(">")
  }

  mutating func addWords(model: String, way: String, _ words: [String]) {
    values = [
      .init("tokenizer.ggml.model", .string(model)), .init("tokenizer.ggml.pre", .string(way)),
      .init("tokenizer.ggml.tokens", .array(words.map { .string($0) })),
      .init("tokenizer.ggml.token_type", .array(kinds.map { .number($0.rawValue) })),
    ]
  }

  /// What is said of a tokenizer that pairs bytes.
  private mutating func addPairs(_ merges: [(String, String)], _ way: TextCutting) {
    // Only tokenizers of pieces have a kind of its own for it.
    for id in kinds.indices where kinds[id] == .unknown { kinds[id] = .control }
    addWords(model: "gpt2", way: way.names[0], words)
    // A space in a word is written as another character there.
    let lines = merges.map { pair -> JSONValue in
      .string(
        [pair.0, pair.1].map { $0.replacing(" ", with: "\u{120}") }.joined(separator: " "))
    }
    values.append(.init("tokenizer.ggml.merges", .array(lines)))
  }

  /// What is said of a tokenizer of pieces, as SentencePiece makes them: scores in place of pairs.
  ///
  /// - Returns: `false` if it does something else with spaces, or if no scores say what its pairs do.
  private mutating func addPieces(
    _ merges: [(String, String)], _ tokenizer: JSONValue
  ) -> Bool {
    guard let hasSpaceBefore = PieceSpaces.before(tokenizer) else { return false }
    for id in kinds.indices where kinds[id] == .normal && byteOf(words[id]) != nil {
      kinds[id] = .byte
    }
    let pieces = words.indices.filter { kinds[$0] == .normal }.map { (text: words[$0], id: $0) }
    guard let scores = PieceMerges.scores(of: merges, pieces) else { return false }
    addWords(model: "llama", way: "default", words)
    let numbers = kinds.indices.map { id -> JSONValue in
      switch kinds[id] {
      case .unused: .double(-10000)
      case .userDefined: .double(-1000)
      default: .double(scores[id] ?? 0)
      }
    }
    values.append(.init("tokenizer.ggml.scores", .array(numbers)))
    values.append(.init("tokenizer.ggml.add_space_prefix", .bool(hasSpaceBefore)))
    return true
  }

  /// The words with a place of their own, and whether texts begin and end with one.
  private mutating func addMarks(
    _ tokenizer: JSONValue, _ settings: JSONValue?, _ config: JSONValue
  ) {
    var texts: [String: String] = [:]
    func name(_ mark: String) -> String? {
      settings?["\(mark)_token"].flatMap { $0["content"]?.string ?? $0.string } ?? usualMarks[mark]
    }
    // What begins and ends a text may be called for classes and separators alone.
    let others = ["bos": "cls", "eos": "sep"]
    for mark in MarkName.all {
      let named = name(mark.usual) ?? others[mark.usual].flatMap { name($0) }
      texts[mark.usual] = named
      let value = config["\(mark.usual)_token_id"]
      let found = named.flatMap { text in
        words.indices.first { kinds[$0].isAdded && words[$0].utf8.elementsEqual(text.utf8) }
      }
      guard let id = found ?? value?.int ?? value?.elements?.first?.int, words.indices.contains(id)
      else { continue }
      texts[mark.usual] = words[id]
      values.append(.init(mark.idKey, .number(id)))
    }
    if settings != nil, texts["sep"] == nil, let end = texts["eos"],
      Self.separates(tokenizer["post_processor"], end), let id = words.firstIndex(of: end)
    {
      values += MarkName.all.filter { $0.usual == "sep" }.map { .init($0.idKey, .number(id)) }
    }
    let added = Self.addedMarks(tokenizer["post_processor"], texts)
    for mark in ["bos", "eos", "sep"] {
      guard let isAdded = added[mark] ?? settings?["add_\(mark)_token"]?.bool else { continue }
      values.append(.init("tokenizer.ggml.add_\(mark)_token", .bool(isAdded)))
    }
  }

  /// Whether the word for the end of a text stands between the two of a pair, and is not there because each text
  /// has one: first of the words between them and no end, or second of two.
  private static func separates(_ processor: JSONValue?, _ end: String) -> Bool {
    func word(_ part: JSONValue?) -> String? { part?["SpecialToken"]?["id"]?.string }
    for step in processor.map({ $0["processors"]?.elements ?? [$0] }) ?? []
    where step["type"]?.string == "TemplateProcessing" {
      let single = step["single"]?.elements ?? []
      let (first, last) = single.count > 1 ? (word(single.first), word(single.last)) : (nil, nil)
      var pair = (step["pair"]?.elements ?? [])[...]
      if let first, word(pair.first) == first { pair = pair.dropFirst() }
      if let last, word(pair.last) == last { pair = pair.dropLast() }
      guard pair.first?["Sequence"]?["id"]?.string == "A",
        pair.last?["Sequence"]?["id"]?.string == "B"
      else { continue }
      let between = pair.dropFirst().dropLast().map { word($0) }
      if between.first == end && last == nil || between.count == 2 && between[1] == end {
        return true
      }
    }
    return false
  }

  /// Which words a tokenizer adds to a text; nothing of those of which it says nothing.
  private static func addedMarks(
    _ processor: JSONValue?, _ texts: [String: String]
  ) -> [String: Bool] {
    var added: [String: Bool] = [:]
    for step in processor.map({ $0["processors"]?.elements ?? [$0] }) ?? [] {
      switch step["type"]?.string {
      case "ByteLevel":
        for mark in ["bos", "eos"] where added[mark] == nil { added[mark] = false }
      case "RobertaProcessing":
        // Between the two of a pair stand two.
        for mark in ["bos", "eos", "sep"] { added[mark] = true }
      case "TemplateProcessing":
        let parts = step["single"]?.elements ?? []
        guard parts.count > 1 else { continue }
        for (part, mark) in [(parts.first, "bos"), (parts.last, "eos")] {
          guard let id = part?["SpecialToken"]?["id"]?.string else { continue }
          added[mark] = id == texts[mark]
        }
      default: continue
      }
    }
    return added
  }

  /// Pairs of words, in either of the forms that a tokenizer.json has them in.
  private static func merges(_ list: JSONValue?) -> [(String, String)]? {
    guard let elements = list?.elements else { return nil }
    let merges = elements.compactMap { pair -> (String, String)? in
      let parts = pair.string.map { pairWords($0) } ?? pair.elements?.compactMap(\.string) ?? []
      return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
    return merges.count == elements.count ? merges : nil
  }
}

/// The two words of a pair that is written with a space between them.
func pairWords(_ text: String) -> [String] {
  // The first one is not empty.
  guard let space = text.dropFirst().firstIndex(of: " ") else { return [] }
  return [String(text[..<space]), String(text[text.index(after: space)...])]
}

/// The byte that a word like `<0x0A>` stands for.
func byteOf(_ word: String) -> UInt8? {
  guard word.utf8.count == 6, word.hasPrefix("<0x"), word.hasSuffix(">") else { return nil }
  return UInt8(word.dropFirst(3).dropLast(), radix: 16)
}

extension GGUFTokenizer {
  /// The tokenizer among the files of a folder.
  ///
  /// - Returns: `nil` if there is none that can be translated.
  init?(
    in files: [CompanionFile], config: JSONValue, wordCount: Int
  ) throws(CheckpointError) {
    func bytes(_ name: String) throws(CheckpointError) -> [UInt8]? {
      guard let file = files.first(where: { $0.name.elementsEqual(name.utf8) }),
        file.bytes.count <= Self.largestFile
      else { return nil }
      return try file.bytes.read(0..<file.bytes.count)
    }
    func object(_ name: String) throws(CheckpointError) -> JSONValue? {
      guard let bytes = try bytes(name) else { return nil }
      return try? JSONValue(parsing: bytes, grammar: .python)
    }
    guard let tokenizer = try object("tokenizer.json") else { return nil }
    self.init(
      tokenizer: tokenizer, settings: try object("tokenizer_config.json"),
      template: try bytes("chat_template.jinja").flatMap {
        String(validating: $0, as: UTF8.self)
      }, config: config, wordCount: wordCount)
  }

  /// Bytes of a file that is looked at: a byte can take 35 of memory.
  private static let largestFile = 32 << 20
}
