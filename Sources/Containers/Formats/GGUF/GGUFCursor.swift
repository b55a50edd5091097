import TensorCore

/// Reads the head of a GGUF file from the beginning on, a stretch at a time: lists of words are long, and most
/// of them are only passed over. Every read is checked against what is left of the file.
struct GGUFCursor {
  private let file: any ByteSource
  /// Where the next byte is in the file.
  private(set) var position: Int
  /// Whether numbers are big-endian.
  var isBigEndian = false
  private var window: [UInt8] = []
  private var windowStart = 0

  private static let stretch = 1 << 16

  init(_ file: any ByteSource, at position: Int = 0) {
    self.file = file
    self.position = position
  }

  /// How many bytes of the file are left.
  var left: Int { file.size - position }

  /// Passes over `count` bytes, and says where they are.
  @discardableResult
  mutating func skip(_ count: Int) throws(CheckpointError) -> Range<Int> {
    guard count >= 0, count <= left else {
      throw CheckpointError(.truncated(needed: count, available: left), offset: position)
    }
    guard position + count <= Limits.ggufHeader else {
      throw CheckpointError(
        .limitExceeded("the header's length", limit: Limits.ggufHeader, found: position + count),
        offset: position)
    }
    defer { position += count }
    return position..<position + count
  }

  /// The next `count` bytes.
  mutating func bytes(_ count: Int) throws(CheckpointError) -> ArraySlice<UInt8> {
    let range = try skip(count)
    if range.lowerBound < windowStart || range.upperBound > windowStart + window.count {
      let end = min(file.size, range.lowerBound + max(count, Self.stretch))
      window = try file.read(range.lowerBound..<end)
      windowStart = range.lowerBound
    }
    return window[range.lowerBound - windowStart..<range.upperBound - windowStart]
  }

  private mutating func number(_ width: Int) throws(CheckpointError) -> UInt64 {
    let bytes = try bytes(width)
    return isBigEndian ? bytes.reduce(0) { $0 << 8 | UInt64($1) } : littleEndian(bytes)
  }

  mutating func uint8() throws(CheckpointError) -> UInt8 { UInt8(try number(1)) }
  mutating func uint16() throws(CheckpointError) -> UInt16 { UInt16(try number(2)) }
  mutating func uint32() throws(CheckpointError) -> UInt32 { UInt32(try number(4)) }
  mutating func uint64() throws(CheckpointError) -> UInt64 { try number(8) }

  /// A number of 64 bits that must fit `Int`.
  mutating func count(_ what: String) throws(CheckpointError) -> Int {
    let offset = position
    guard let value = Int(exactly: try uint64()) else {
      throw CheckpointError(.overflow(what), offset: offset)
    }
    return value
  }

  /// A text: its length, and its bytes.
  ///
  /// - Parameter limit: bytes that it may have; without one, as many as a value of the key-values may. Such a text that
  ///   the file ends before is truncated, however long it claims to be.
  mutating func text(
    _ what: String, limit: Int? = nil
  ) throws(CheckpointError) -> (text: String, offset: Int) {
    let offset = position
    let length = try count("the length of \(what)")
    let limit = limit ?? (length > left ? .max : Limits.ggufText)
    guard length <= limit else {
      throw CheckpointError(
        .limitExceeded("the length of \(what)", limit: limit, found: length), offset: offset)
    }
    let bytes = try bytes(length)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CheckpointError(.malformed("\(what) is not UTF-8"), offset: offset)
    }
    return (text, offset)
  }
}
