/// A text that was changed, and where each of its bytes comes from in the text as it was given.
///
/// As long as no byte was added or removed nothing is kept: every byte is from the character in its place.
struct AlignedText: Sendable {
  /// Where a byte comes from: a range of bytes of the given text.
  struct Origin: Equatable, Sendable {
    var start: UInt32
    var end: UInt32
  }

  /// The text, valid UTF-8.
  private(set) var bytes: [UInt8]
  /// The origin of each byte; `nil` if every character is from its own place.
  private(set) var origins: [Origin]?

  /// A text as it is given.
  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// An empty text that is going to be filled from another one.
  init(filledFrom text: AlignedText) {
    bytes = []
    bytes.reserveCapacity(text.bytes.count + 16)
    origins = []
    origins?.reserveCapacity(text.bytes.count + 16)
  }

  /// Where the byte at a position comes from.
  func origin(_ position: Int) -> Origin {
    if let origins { return origins[position] }
    var start = position
    while isContinuation(bytes[start]) { start -= 1 }
    return Origin(start: UInt32(start), end: UInt32(start + scalarLength(bytes[start])))
  }

  /// Where a part comes from.
  func origin(of range: Range<Int>) -> Range<Int> {
    guard range.lowerBound < bytes.count else { return range }
    let start = Int(origin(range.lowerBound).start)
    guard !range.isEmpty else { return start..<start }
    return start..<max(start, Int(origin(range.upperBound - 1).end))
  }

  // MARK: Changing

  /// Replaces bytes by as many others: a change of characters that keeps their lengths.
  mutating func replaceBytes(in range: Range<Int>, _ change: (UInt8) -> UInt8) {
    for index in range { bytes[index] = change(bytes[index]) }
  }

  /// Adds a part of another text as it is.
  mutating func append(_ range: Range<Int>, of text: AlignedText) {
    bytes += text.bytes[range]
    if let known = text.origins {
      origins?.append(contentsOf: known[range])
    } else {
      var index = range.lowerBound
      while index < range.upperBound {
        let length = scalarLength(text.bytes[index])
        let origin = Origin(start: UInt32(index), end: UInt32(index + length))
        for _ in 0..<length { origins?.append(origin) }
        index += length
      }
    }
  }

  /// Adds a character with an origin.
  mutating func append(_ scalar: UInt32, _ origin: Origin) {
    Tokenizers.append(scalar, to: &bytes)
    for _ in 0..<encodedLength(scalar) { origins?.append(origin) }
  }

  /// Adds a byte with an origin.
  mutating func append(byte: UInt8, _ origin: Origin) {
    bytes.append(byte)
    origins?.append(origin)
  }

  /// Adds what a part of another text becomes, character by character. The change of each says which
  /// character it is instead of: 0 the next one, −n the next one with the n after it, which are gone, 1 none:
  /// it is added, and has the origin of what is before it.
  ///
  /// - Parameters:
  ///   - removed: characters that are gone at the beginning.
  ///   - shift: where the part begins in the text as it was given.
  mutating func append(
    _ characters: some Sequence<(scalar: UInt32, change: Int)>, insteadOf range: Range<Int>,
    of text: AlignedText, removed: Int = 0, shift: Int
  ) {
    var position = range.lowerBound
    func skip(_ count: Int) {
      for _ in 0..<count where position < range.upperBound {
        position += scalarLength(text.bytes[position])
      }
    }
    skip(removed)
    for (scalar, change) in characters {
      if change > 0 {
        let isFirst = position <= range.lowerBound
        append(
          scalar,
          isFirst
            ? Origin(start: UInt32(shift), end: UInt32(shift)) : text.origin(position - 1))
      } else {
        let place = min(position, max(range.lowerBound, range.upperBound - 1))
        append(scalar, text.origin(place))
        skip(1 - change)
      }
    }
  }
}
