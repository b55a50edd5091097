import Containers
import TensorCore

/// The words of a tokenizer inside of a GGUF file, and what each is for.
struct TokenizerWords {
  private(set) var texts: [String]
  private let kinds: [WordKind]
  private let names: Set<TensorName>

  /// - Throws: `Obstacle` if there are none that a tokenizer.json can have.
  init(_ values: GGUFKeyValues) throws(HuggingFaceTokenizer.Obstacle) {
    guard let texts = values.json("tokenizer.ggml.tokens")?.elements?.compactMap(\.string) else {
      throw HuggingFaceTokenizer.Obstacle("its words are no texts")
    }
    let kinds = values.json("tokenizer.ggml.token_type")?.elements?.map { value in
      value.int.flatMap { WordKind(rawValue: $0) }
    }
    self.texts = texts
    self.kinds = try texts.indices.map { id throws(HuggingFaceTokenizer.Obstacle) in
      guard let kinds else { return .normal }
      guard kinds.indices.contains(id), let kind = kinds[id] else {
        throw HuggingFaceTokenizer.Obstacle("the kind of word \(id) is not known")
      }
      return kind
    }
    names = Set(texts.map { TensorName($0) })
    guard names.count == texts.count else {
      throw HuggingFaceTokenizer.Obstacle("two of its words are the same")
    }
  }

  /// The words as vocabularies of WordPiece have them: in a file those that begin a word have a mark, and those that
  /// go on none (llama.cpp, conversion/bert.py, `set_vocab`).
  ///
  /// - Throws: `Obstacle` if two are the same then.
  func asWordPieces() throws(HuggingFaceTokenizer.Obstacle) -> TokenizerWords {
    var words = self
    for id in texts.indices where kinds[id] != .control {
      let text = texts[id]
      words.texts[id] = text.hasPrefix(spaceMark) ? String(text.dropFirst()) : "##" + text
    }
    guard Set(words.texts.map { TensorName($0) }).count == texts.count else {
      throw HuggingFaceTokenizer.Obstacle("two of its words are the same")
    }
    return words
  }

  /// Whether words have letters that are not small, though there are small ones of them.
  var haveCapitals: Bool {
    texts.indices.contains { id in
      kinds[id] == .normal && !texts[id].hasPrefix("[") && texts[id].lowercased() != texts[id]
    }
  }

  /// How many words there are before those that only fill up.
  var count: Int { (kinds.lastIndex { $0 != .unused } ?? -1) + 1 }

  /// Whether there is such a word.
  func has(_ text: String) -> Bool { names.contains(TensorName(text)) }

  /// The numbers of the words of a kind.
  func ids(where isMeant: (WordKind) -> Bool) -> [Int] {
    kinds.indices.filter { isMeant(kinds[$0]) }
  }

  /// The words and their numbers, but for those that only fill up.
  var vocabulary: [JSONValue.Member] {
    texts.indices.filter { kinds[$0] != .unused || texts[$0] != padWord($0) }
      .map { .init(texts[$0], .number($0)) }
  }

  /// The words that are found before a text is cut, as a tokenizer.json lists them.
  var added: [JSONValue] {
    ids(where: \.isAdded).map { id in
      [
        "id": .number(id), "content": .string(texts[id]), "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": .bool(kinds[id] != .userDefined),
      ]
    }
  }

  /// The number of a word with a place of its own, by its name in configs.
  func mark(_ name: String, _ values: GGUFKeyValues) -> Int? {
    guard let key = MarkName.all.first(where: { $0.usual == name })?.idKey,
      let id = values.json(key)?.int, texts.indices.contains(id)
    else { return nil }
    return id
  }

  /// The sum of the squares of the words' bytes, which says how much work finding pairs is.
  var lengthsSquared: Int {
    texts.reduce(0) { sum, text in
      let length = min(text.utf8.count, 1 << 20)
      return min(1 << 40, sum + length * length)
    }
  }
}
