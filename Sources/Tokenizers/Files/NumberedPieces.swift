public import TensorCore

extension Tokenizer {
  /// Reads a sentencepiece model whose pieces have the ids of a list: `source.spm`, or `target.spm`, beside a vocab.json of both languages.
  ///
  /// What the list does not have is unknown, `>>xx<<` names a language, and `</s>` ends a text.
  /// Source: transformers 5, `MarianTokenizer` (`_convert_token_to_id`, `build_inputs_with_special_tokens`, `remove_language_code`).
  ///
  /// - Parameters:
  ///   - bytes: the sentencepiece model.
  ///   - list: vocab.json, pieces and their ids.
  /// - Throws: `CheckpointError`: malformed, or unsupported if it asks for what is not known here.
  public init(sentencePiece bytes: [UInt8], numberedBy list: [UInt8]) throws(CheckpointError) {
    let words = try WordTable(json: list)
    guard let unknown = words.id(of: "<unk>".bytes), let end = words.id(of: "</s>".bytes) else {
      throw CheckpointError(
        .unsupported("vocab.json beside a sentencepiece model has no <unk> or no </s>"))
    }
    var file = try SentencePieceFile(bytes)
    let count = try file.number(by: words, unknown: unknown)
    try self.init(file)
    format += " numbered by vocab.json"
    let special = (0..<count).compactMap { id -> AddedToken? in
      guard let word = words.word(id) else { return nil }
      let text = String(decoding: word, as: UTF8.self)
      if ["</s>", "<unk>", "<pad>"].contains(text) {
        return AddedToken(text, id: id, isSpecial: true)
      }
      return text.hasPrefix(">>") && text.hasSuffix("<<")
        ? AddedToken(text, id: id, isSpecial: false) : nil
    }
    added = try AddedTokens(special, nil)
    // transformers strips texts.
    if let decoder { self.decoder = .sequence([decoder, .strip(0x20, start: .max, end: .max)]) }
    let ending = Template.Part.special([.init(text: "</s>", id: end)], type: 0)
    let template = Template(
      single: [.text(0, type: 0), ending],
      pair: [.text(0, type: 0), .text(1, type: 0), ending])
    postProcessor = .sequence([
      .limited(count: count, unknown: .init(text: "<unk>", id: unknown)), .template(template),
    ])
  }
}

extension SentencePieceFile {
  /// Gives pieces the ids of a list. Those that are not in it come after its last id; words that only the list has are part of no text.
  ///
  /// - Returns: how many ids the list has.
  /// - Throws: `CheckpointError` if the list leaves out ids, or has too many.
  mutating func number(by words: WordTable, unknown: Int) throws(CheckpointError) -> Int {
    let count = words.count
    guard count > 0, words.largestID == count - 1, (0..<count).allSatisfy({ words.word($0) != nil })
    else { throw CheckpointError(.malformed("vocab.json does not number its words from 0 on")) }
    var numbered = (0..<count).map { id in
      Piece(text: words.word(id) ?? [], kind: id == unknown ? .unknown : .control)
    }
    for piece in pieces where piece.kind != .unknown && piece.kind != .control {
      if let id = words.id(of: piece.text) {
        if id != unknown { numbered[id] = piece }
      } else {
        numbered.append(piece)
      }
    }
    pieces = numbered
    return count
  }
}
