import TensorCore
import Tokenizers

extension GGUFTokenizer {
  /// What is said of pieces of words (WordPiece), as llama.cpp's converter writes them
  /// (conversion/bert.py, `set_vocab`).
  ///
  /// - Returns: `false` if texts are made ready or cut in another way than there, or stand between no two words.
  mutating func addWordPieces(_ model: JSONValue, _ tokenizer: JSONValue) -> Bool {
    let normalizer = tokenizer["normalizer"]
    guard model["continuing_subword_prefix"]?.string == "##",
      normalizer?["type"]?.string == "BertNormalizer", normalizer?["clean_text"]?.bool == true,
      normalizer?["handle_chinese_chars"]?.bool == true,
      let isSmall = normalizer?["lowercase"]?.bool,
      tokenizer["pre_tokenizer"]?["type"]?.string == "BertPreTokenizer",
      let unknown = model["unk_token"]?.string, words.contains(unknown),
      let around = Self.marksAround(tokenizer["post_processor"])
    else { return false }
    // Only tokenizers of pieces with scores have a kind of its own for it.
    for id in kinds.indices where kinds[id] == .unknown { kinds[id] = .control }
    let pieces = words.indices.map { id in
      let word = words[id]
      if kinds[id] == .control { return word }
      return word.hasPrefix("##") ? String(word.dropFirst(2)) : spaceMark + word
    }
    addWords(model: "bert", way: "default", pieces)
    values.append(.init("tokenizer.ggml.normalizer.lowercase", .bool(isSmall)))
    if let strips = normalizer?["strip_accents"]?.bool {
      values.append(.init("tokenizer.ggml.normalizer.strip_accents", .bool(strips)))
    }
    usualMarks = ["cls": around.first, "sep": around.last, "unk": unknown]
    return true
  }

  /// The words that stand before and behind each text.
  private static func marksAround(_ processor: JSONValue?) -> (first: String, last: String)? {
    switch processor?["type"]?.string {
    case "BertProcessing":
      guard let first = processor?["cls"]?.elements?.first?.string,
        let last = processor?["sep"]?.elements?.first?.string
      else { return nil }
      return (first, last)
    case "TemplateProcessing":
      let parts = processor?["single"]?.elements ?? []
      guard parts.count == 3, let first = parts[0]["SpecialToken"]?["id"]?.string,
        let last = parts[2]["SpecialToken"]?["id"]?.string
      else { return nil }
      return (first, last)
    default: return nil
    }
  }

  /// Takes the pieces with their scores; `false` if there are more than the model has words.
  mutating func takeScored(_ model: JSONValue) -> Bool {
    guard let list = model["vocab"]?.elements, list.count <= words.count,
      let unknown = model["unk_id"]?.int, list.indices.contains(unknown),
      model["byte_fallback"]?.bool != true
    else { return false }
    for (id, piece) in list.enumerated() {
      guard let parts = piece.elements, parts.count == 2, let text = parts[0].string,
        let score = parts[1].double
      else { return false }
      (words[id], kinds[id]) = (text, id == unknown ? .unknown : .normal)
      scores.append(score)
    }
    return true
  }

  /// What is said of pieces that are chosen by their scores (Unigram), as llama.cpp's converter writes them
  /// (conversion/t5.py, `set_vocab`).
  ///
  /// - Returns: `false` if texts are made ready or cut in another way than SentencePiece's.
  mutating func addScoredPieces(_ tokenizer: JSONValue) -> Bool {
    guard let cutting = PieceCutting(tokenizer) else { return false }
    addWords(model: "t5", way: "default", words)
    let numbers = words.indices.map { id -> JSONValue in
      if scores.indices.contains(id) { return .double(scores[id]) }
      return .double(kinds[id] == .unused ? -10000 : kinds[id] == .userDefined ? -1000 : 0)
    }
    values += [
      .init("tokenizer.ggml.scores", .array(numbers)),
      .init("tokenizer.ggml.add_space_prefix", .bool(cutting.hasSpaceBefore)),
      .init("tokenizer.ggml.remove_extra_whitespaces", .bool(cutting.removesSpaces)),
    ]
    characterMap = cutting.characterMap
    return true
  }
}

/// What SentencePiece does with a text before it chooses pieces, as far as llama.cpp does the same.
private struct PieceCutting {
  var hasSpaceBefore = true
  var removesSpaces = false
  /// The table of characters that are written otherwise.
  var characterMap: [UInt8] = []

  /// - Returns: `nil` if a tokenizer.json does something else.
  init?(_ tokenizer: JSONValue) {
    var normalizer = Self.steps(tokenizer["normalizer"], "normalizers")[...]
    if let table = normalizer.first, table["type"]?.string == "Precompiled" {
      guard
        let bytes = table["precompiled_charsmap"]?.string.flatMap({ decodeBase64(Array($0.utf8)) })
      else {
        return nil
      }
      characterMap = bytes
      normalizer.removeFirst()
    }
    if let strip = normalizer.first, strip["type"]?.string == "Strip" {
      guard strip["strip_right"]?.bool == true, normalizer.count == 2 else { return nil }
      normalizer.removeFirst()
    }
    if let last = normalizer.popFirst() {
      guard last["type"]?.string == "Replace", last["pattern"]?["Regex"]?.string == " {2,}",
        [" ", spaceMark].contains(last["content"]?.string), normalizer.isEmpty
      else { return nil }
      removesSpaces = true
    }
    var cutting = Self.steps(tokenizer["pre_tokenizer"], "pretokenizers")[...]
    if cutting.first?["type"]?.string == "WhitespaceSplit" {
      // The table makes spaces of tabs and ends of lines.
      if characterMap.isEmpty { return nil }
      removesSpaces = true
      cutting.removeFirst()
    }
    guard cutting.count == 1, let spaces = cutting.first, spaces["type"]?.string == "Metaspace",
      spaces["replacement"]?.string == spaceMark, spaces["split"]?.bool != false
    else { return nil }
    switch spaces["prepend_scheme"]?.string {
    case "always": break
    case "never": hasSpaceBefore = false
    case nil: hasSpaceBefore = spaces["add_prefix_space"]?.bool ?? true
    default: return nil
    }
  }

  private static func steps(_ value: JSONValue?, _ list: String) -> [JSONValue] {
    guard let value, value != .null else { return [] }
    return value[list]?.elements ?? [value]
  }
}
