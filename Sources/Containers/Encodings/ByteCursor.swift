import TensorCore

/// Reads little-endian numbers one after the other; every read is checked against what is left.
struct ByteCursor {
  private let bytes: [UInt8]
  /// The index of the next byte in the bytes that are read.
  private(set) var position = 0
  /// Where the bytes begin in the file, for errors.
  let start: Int

  /// Reads `bytes`, which begin at byte `start` of the file.
  init(_ bytes: [UInt8], at start: Int) {
    self.bytes = bytes
    self.start = start
  }

  /// Where the next byte is in the file.
  var offset: Int { start + position }

  /// How many bytes have not been read.
  var left: Int { bytes.count - position }

  /// Whether everything has been read.
  var isAtEnd: Bool { left == 0 }

  /// Passes over the next `count` bytes, and says where they are in the bytes that are read.
  mutating func skip(_ count: Int) throws(CheckpointError) -> Range<Int> {
    guard count >= 0, count <= left else {
      throw CheckpointError(.truncated(needed: count, available: left), offset: offset)
    }
    defer { position += count }
    return position..<position + count
  }

  /// The next `count` bytes.
  mutating func bytes(_ count: Int) throws(CheckpointError) -> [UInt8] {
    Array(bytes[try skip(count)])
  }

  private mutating func number(_ count: Int) throws(CheckpointError) -> UInt64 {
    littleEndian(bytes[try skip(count)])
  }

  mutating func uint8() throws(CheckpointError) -> UInt8 {
    UInt8(truncatingIfNeeded: try number(1))
  }

  mutating func uint16() throws(CheckpointError) -> UInt16 {
    UInt16(truncatingIfNeeded: try number(2))
  }

  mutating func uint32() throws(CheckpointError) -> UInt32 {
    UInt32(truncatingIfNeeded: try number(4))
  }

  mutating func uint64() throws(CheckpointError) -> UInt64 { try number(8) }

  /// A 64-bit number that must fit `Int`.
  mutating func int64(_ what: String) throws(CheckpointError) -> Int {
    let offset = offset
    guard let value = Int(exactly: try uint64()) else {
      throw CheckpointError(.overflow(what), offset: offset)
    }
    return value
  }
}
