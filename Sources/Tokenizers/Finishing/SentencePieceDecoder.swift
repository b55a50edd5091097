/// How pieces of a sentencepiece model become a text.
///
/// Source: sentencepiece, `sentencepiece_processor.cc`, `SentencePieceProcessor::Decode`.
struct SentencePieceDecoder: Sendable {
  /// The piece of what is unknown, and the text for it.
  let unknown: [UInt8]
  let unknownText: [UInt8]
  /// Whether the space at the beginning is one that was put there.
  let dropsFirst: Bool
  /// Whether all spaces at the beginning are.
  let dropsAll: Bool

  func text(_ words: [[UInt8]]) -> [UInt8] {
    var (text, bytes): ([UInt8], [UInt8]) = ([], [])
    var isAtStart = true
    for word in words {
      if let byte = Decoder.byte(of: word) {
        bytes.append(byte)
        continue
      }
      text += characters(bytes)
      bytes = []
      if !text.isEmpty { isAtStart = false }
      if word == unknown {
        text += unknownText
        continue
      }
      var word = word[...]
      if isAtStart, dropsFirst || dropsAll, word.starts(with: "\u{2581}".utf8) {
        word = word.dropFirst(3)
        if !dropsAll { isAtStart = false }
      }
      text += replacing("\u{2581}".bytes, in: Array(word), with: " ")
    }
    return text + characters(bytes)
  }

  /// The characters that bytes are, U+FFFD for each byte that is part of none.
  private func characters(_ bytes: [UInt8]) -> [UInt8] {
    var (result, index): ([UInt8], Int) = ([], 0)
    while index < bytes.count {
      let end = min(index + scalarLength(bytes[index]), bytes.count)
      let character = Array(bytes[index..<end])
      if (try? UTF8Span(validating: character.span)) != nil {
        result += character
        index = end
      } else {
        result += "\u{FFFD}".utf8
        index += 1
      }
    }
    return result
  }
}
