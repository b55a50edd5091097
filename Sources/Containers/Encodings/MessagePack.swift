import TensorCore

/// Reads items of MessagePack one after the other.
///
/// Source: msgpack.org, "MessagePack specification": formats and extension types. Bytes of strings of
/// bytes and of extensions are passed over.
struct MessagePackReader {
  /// An item; of a map or an array its head, behind which the members follow.
  enum Item {
    case null
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case text(String)
    /// Bytes, and where they are.
    case binary(Range<Int>)
    case array(count: Int)
    case map(count: Int)
    /// An item of a type of the application's own, and where its bytes are.
    case other(type: Int8, Range<Int>)
  }

  private(set) var cursor: SourceCursor

  init(_ cursor: SourceCursor) { self.cursor = cursor }

  /// The next item.
  mutating func item() throws(CheckpointError) -> Item {
    let start = cursor.position
    let first = try cursor.uint8()
    switch first {
    case 0x00...0x7F: return .integer(Int(first))
    case 0xE0...0xFF: return .integer(Int(Int8(bitPattern: first)))
    case 0x80...0x8F: return .map(count: Int(first & 0x0F))
    case 0x90...0x9F: return .array(count: Int(first & 0x0F))
    case 0xA0...0xBF: return try text(Int(first & 0x1F), at: start)
    case 0xC0: return .null
    case 0xC2, 0xC3: return .bool(first == 0xC3)
    case 0xC4...0xC6: return .binary(try cursor.skip(try size(1 << Int(first - 0xC4))))
    case 0xC7...0xC9: return try other(try size(1 << Int(first - 0xC7)))
    case 0xCA: return .float(Double(Float(bitPattern: UInt32(try cursor.bigEndian(4)))))
    case 0xCB: return .float(Double(bitPattern: try cursor.bigEndian(8)))
    case 0xCC...0xCF: return try unsigned(1 << Int(first - 0xCC), at: start)
    case 0xD0...0xD3: return .integer(try signed(1 << Int(first - 0xD0)))
    case 0xD4...0xD8: return try other(1 << Int(first - 0xD4))
    case 0xD9...0xDB: return try text(try size(1 << Int(first - 0xD9)), at: start)
    case 0xDC, 0xDD: return .array(count: try size(first == 0xDC ? 2 : 4))
    case 0xDE, 0xDF: return .map(count: try size(first == 0xDE ? 2 : 4))
    default:
      throw CheckpointError(.malformed("MessagePack: a byte that begins no item"), offset: start)
    }
  }

  /// A length, of four bytes at most.
  private mutating func size(_ width: Int) throws(CheckpointError) -> Int {
    Int(try cursor.bigEndian(width))
  }

  private mutating func unsigned(_ width: Int, at start: Int) throws(CheckpointError) -> Item {
    guard let value = Int(exactly: try cursor.bigEndian(width)) else {
      throw CheckpointError(.overflow("a number"), offset: start)
    }
    return .integer(value)
  }

  private mutating func signed(_ width: Int) throws(CheckpointError) -> Int {
    let shift = 64 - 8 * width
    return Int(bitPattern: UInt(try cursor.bigEndian(width) << UInt64(shift))) >> shift
  }

  private mutating func text(_ count: Int, at start: Int) throws(CheckpointError) -> Item {
    guard count <= Limits.messageText else {
      throw CheckpointError(
        .limitExceeded("the length of a text", limit: Limits.messageText, found: count),
        offset: start)
    }
    guard let text = TensorName(validating: try cursor.bytes(count)) else {
      throw CheckpointError(.malformed("MessagePack: a text is not UTF-8"), offset: start)
    }
    return .text(text.text)
  }

  private mutating func other(_ count: Int) throws(CheckpointError) -> Item {
    let type = Int8(bitPattern: try cursor.uint8())
    return .other(type: type, try cursor.skip(count))
  }
}
