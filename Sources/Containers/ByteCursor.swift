import TensorCore

/// Reads little-endian numbers one after the other.
struct ByteCursor {
  private var rest: ArraySlice<UInt8>
  /// Where the bytes begin in the file, for errors.
  private let start: Int

  /// Reads `bytes`, which begin at byte `start` of the file.
  init(_ bytes: [UInt8], at start: Int) {
    rest = bytes[...]
    self.start = start
  }

  /// Where the next byte is in the file.
  var offset: Int { start + rest.startIndex }

  /// Whether everything has been read.
  var isAtEnd: Bool { rest.isEmpty }

  /// The next `count` bytes.
  mutating func bytes(_ count: Int) throws(CheckpointError) -> [UInt8] {
    guard count >= 0, count <= rest.count else {
      throw CheckpointError(.truncated(needed: count, available: rest.count), offset: offset)
    }
    defer { rest = rest.dropFirst(count) }
    return Array(rest.prefix(count))
  }

  mutating func uint8() throws(CheckpointError) -> UInt8 {
    UInt8(truncatingIfNeeded: littleEndian(try bytes(1)[...]))
  }

  mutating func uint16() throws(CheckpointError) -> UInt16 {
    UInt16(truncatingIfNeeded: littleEndian(try bytes(2)[...]))
  }

  mutating func uint32() throws(CheckpointError) -> UInt32 {
    UInt32(truncatingIfNeeded: littleEndian(try bytes(4)[...]))
  }

  mutating func uint64() throws(CheckpointError) -> UInt64 {
    littleEndian(try bytes(8)[...])
  }

  /// A 64-bit number that must fit `Int`.
  mutating func int64(_ what: String) throws(CheckpointError) -> Int {
    let offset = offset
    guard let value = Int(exactly: try uint64()) else {
      throw CheckpointError(.overflow(what), offset: offset)
    }
    return value
  }
}
