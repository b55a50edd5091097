import TensorCore

/// What sentencepiece does to a text: replacements by the longest beginning that its table has, spaces once
/// and written as U+2581, one before the text.
///
/// Source: sentencepiece, `normalizer.cc`, `Normalizer::Normalize`.
struct SentencePieceNormalizer: Sendable {
  private let charsmap: Charsmap?
  private let addsSpace: Bool
  private let removesSpaces: Bool
  private let spaceIsSuffix: Bool
  private let space: [UInt8]
  /// Pieces that stay as they are.
  private let wholes: Trie

  init(_ file: SentencePieceFile) throws(CheckpointError) {
    charsmap = file.charsmap.isEmpty ? nil : try Charsmap(file.charsmap)
    addsSpace = file.addsSpace
    removesSpaces = file.removesSpaces
    spaceIsSuffix = file.spaceIsSuffix
    space = file.escapesSpaces ? "\u{2581}".bytes : [0x20]
    wholes = Trie(file.ids(.userDefined).map { (file.pieces[$0].text, $0) })
  }

  func apply(_ text: inout CutText) throws(CheckpointError) {
    try text.rewrite(where: { _, part in !part.range.isEmpty }) { text, part, new in
      var result = Result()
      normalize(text.bytes, part.range, &result)
      for index in result.bytes.indices {
        new.append(
          byte: result.bytes[index],
          AlignedText.Origin(
            start: UInt32(result.places[index]), end: UInt32(result.places[index + 1])))
      }
    }
  }

  /// The bytes of the text, and for each, and for the end, where it is from.
  private struct Result {
    var bytes: [UInt8] = []
    var places: [Int] = []

    mutating func append(_ new: some Sequence<UInt8>, _ place: Int) {
      for byte in new {
        bytes.append(byte)
        places.append(place)
      }
    }
  }

  private func normalize(_ bytes: [UInt8], _ range: Range<Int>, _ result: inout Result) {
    var position = range.lowerBound
    while removesSpaces, position < range.upperBound {
      let (text, length) = replaced(bytes, position..<range.upperBound)
      guard text == [0x20] else { break }
      position += length
    }
    guard position < range.upperBound else { return result.places.append(position) }
    if addsSpace, !spaceIsSuffix { result.append(space, position) }
    var followsSpace = removesSpaces
    while position < range.upperBound {
      let (text, length) = replaced(bytes, position..<range.upperBound)
      var rest = text[...]
      while followsSpace, rest.first == 0x20 { rest = rest.dropFirst() }
      for byte in rest {
        if byte == 0x20 { result.append(space, position) } else { result.append([byte], position) }
      }
      if let last = rest.last { followsSpace = removesSpaces && last == 0x20 }
      position += length
    }
    while removesSpaces, result.bytes.count >= space.count,
      result.bytes.suffix(space.count) == space[...]
    {
      position = result.places[result.bytes.count - space.count]
      result.bytes.removeLast(space.count)
      result.places.removeLast(space.count)
    }
    if addsSpace, spaceIsSuffix { result.append(space, position) }
    result.places.append(position)
  }

  /// What stands for the beginning of a text, and how many bytes of it that is.
  private func replaced(_ bytes: [UInt8], _ range: Range<Int>) -> ([UInt8], Int) {
    if let (end, _) = wholes.longest(of: bytes, range) {
      return (Array(bytes[range.lowerBound..<end]), end - range.lowerBound)
    }
    if let (length, text) = charsmap?.longest(of: bytes, range), length > 0 {
      return (text, length)
    }
    let length = min(scalarLength(bytes[range.lowerBound]), range.count)
    return (Array(bytes[range.lowerBound..<range.lowerBound + length]), length)
  }
}
