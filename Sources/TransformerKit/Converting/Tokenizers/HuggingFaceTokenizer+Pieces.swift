import Containers
import TensorCore

extension HuggingFaceTokenizer {
  /// Pieces that are chosen by their scores, as SentencePiece does it (Unigram); what is around them is as
  /// `transformers` makes it of a spiece.model (convert_slow_tokenizer.py, `SpmConverter`).
  static func scoredPieces(
    _ values: GGUFKeyValues, _ words: TokenizerWords
  ) throws(Obstacle) -> (JSONValue, Way) {
    let scores = values.json("tokenizer.ggml.scores")?.elements?.compactMap(\.double) ?? []
    guard scores.count == words.texts.count else { throw Obstacle("it has no score for each word") }
    guard let unknown = words.mark("unk", values) ?? words.ids(where: { $0 == .unknown }).first,
      unknown < words.count
    else { throw Obstacle("it has no word for what is unknown") }
    let model: JSONValue = [
      "type": "Unigram", "unk_id": .number(unknown), "byte_fallback": false,
      "vocab": .array(
        (0..<words.count).map { [.string(words.texts[$0]), .double(scores[$0])] }),
    ]
    let isBefore = values.json("tokenizer.ggml.add_space_prefix")?.bool ?? true
    let spaces: JSONValue = [
      "type": "Metaspace", "replacement": .string(spaceMark),
      "prepend_scheme": isBefore ? "always" : "never", "split": true,
    ]
    return (
      model,
      Way(
        normalizer: pieceNormalizer(values), preTokenizer: spaces, decoder: spaces, addsEnd: true)
    )
  }

  private static func pieceNormalizer(_ values: GGUFKeyValues) -> JSONValue {
    var steps: [JSONValue] = []
    let table = values.json("tokenizer.ggml.precompiled_charsmap")?.elements ?? []
    if !table.isEmpty {
      let bytes = table.map { UInt8(truncatingIfNeeded: $0.int ?? 0) }
      steps.append(["type": "Precompiled", "precompiled_charsmap": .string(encodeBase64(bytes))])
    }
    if values.json("tokenizer.ggml.remove_extra_whitespaces")?.bool ?? true {
      steps += [
        ["type": "Strip", "strip_left": false, "strip_right": true],
        ["type": "Replace", "pattern": ["Regex": " {2,}"], "content": .string(spaceMark)],
      ]
    }
    return steps.isEmpty ? .null : ["type": "Sequence", "normalizers": .array(steps)]
  }

  /// Pieces of words (WordPiece). Where a file does not say it, words are made small if all that it has are.
  static func wordPieces(
    _ values: GGUFKeyValues, _ words: TokenizerWords
  ) throws(Obstacle) -> (JSONValue, Way) {
    let unknown = words.mark("unk", values).map { words.texts[$0] } ?? "[UNK]"
    guard words.texts.contains(unknown) else {
      throw Obstacle("it has no word for what is unknown")
    }
    let model: JSONValue = [
      "type": "WordPiece", "unk_token": .string(unknown), "continuing_subword_prefix": "##",
      "max_input_chars_per_word": 100, "vocab": .object(words.vocabulary),
    ]
    let isSmall =
      values.json("tokenizer.ggml.normalizer.lowercase")?.bool ?? !words.haveCapitals
    return (
      model,
      Way(
        normalizer: [
          "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
          "strip_accents": values.json("tokenizer.ggml.normalizer.strip_accents") ?? .null,
          "lowercase": .bool(isSmall),
        ],
        preTokenizer: ["type": "BertPreTokenizer"],
        decoder: ["type": "WordPiece", "prefix": "##", "cleanup": true], isBetweenMarks: true)
    )
  }
}
