import TensorCore

/// Reads the fields of a message of Protocol Buffers one after the other.
///
/// Source: protobuf.dev, "Encoding". The bytes of fields that have some are passed over, so a message of
/// any size takes little memory, and fields that nobody asked for cost nothing. That, and the few fields of
/// few messages that hold tensors, is why the messages are not decoded whole by generated code.
struct WireReader {
  /// What a field holds.
  enum Value: Equatable {
    /// A number of variable length.
    case number(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    /// Bytes, a text or a message, and where they are.
    case bytes(Range<Int>)
  }

  /// A field.
  struct Field {
    /// Its number in the message's definition.
    let number: Int
    let value: Value
    /// Where it begins.
    let offset: Int
  }

  private(set) var cursor: SourceCursor

  init(_ cursor: SourceCursor) { self.cursor = cursor }

  /// The message that a field holds.
  func message(_ range: Range<Int>) -> WireReader { WireReader(cursor.over(range)) }

  /// The next field; `nil` at the end.
  mutating func next() throws(CheckpointError) -> Field? {
    guard !cursor.isAtEnd else { return nil }
    let offset = cursor.position
    let tag = try varint()
    let number = Int(exactly: tag >> 3) ?? 0
    guard number > 0, number < 1 << 29 else { throw Self.fault("a field without number", offset) }
    switch tag & 7 {
    case 0: return Field(number: number, value: .number(try varint()), offset: offset)
    case 1:
      return Field(number: number, value: .fixed64(try cursor.littleEndian(8)), offset: offset)
    case 2:
      guard let count = Int(exactly: try varint()) else {
        throw Self.fault("a field of impossible length", offset)
      }
      return Field(number: number, value: .bytes(try cursor.skip(count)), offset: offset)
    case 5:
      let value = UInt32(truncatingIfNeeded: try cursor.littleEndian(4))
      return Field(number: number, value: .fixed32(value), offset: offset)
    default: throw Self.fault("a field of an unknown kind", offset)
    }
  }

  /// A number in pieces of seven bits, the least significant first.
  mutating func varint() throws(CheckpointError) -> UInt64 {
    let offset = cursor.position
    var value: UInt64 = 0
    for index in 0..<10 {
      let byte = try cursor.uint8()
      guard index < 9 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7F) << UInt64(7 * index)
      if byte & 0x80 == 0 { return value }
    }
    throw Self.fault("a number of more than 64 bits", offset)
  }

  /// The next `count` bytes, of which there are few.
  mutating func bytes(_ count: Int) throws(CheckpointError) -> [UInt8] {
    try cursor.bytes(count)
  }

  /// The text of a field, which is short.
  func text(_ range: Range<Int>, limit: Int) throws(CheckpointError) -> String {
    guard range.count <= limit else {
      throw CheckpointError(
        .limitExceeded("the length of a text", limit: limit, found: range.count),
        offset: range.lowerBound)
    }
    var inner = cursor.over(range)
    guard let text = TensorName(validating: try inner.bytes(range.count)) else {
      throw Self.fault("a text that is not UTF-8", range.lowerBound)
    }
    return text.text
  }

  private static func fault(_ what: String, _ offset: Int) -> CheckpointError {
    CheckpointError(.malformed("Protocol Buffers: \(what)"), offset: offset)
  }
}

extension WireReader.Field {
  /// The number that the field must be.
  func int(_ what: String) throws(CheckpointError) -> Int {
    guard case .number(let bits) = value else { throw fault(what) }
    return Int(truncatingIfNeeded: bits)
  }

  /// The bytes that the field must have.
  func bytes(_ what: String) throws(CheckpointError) -> Range<Int> {
    guard case .bytes(let range) = value else { throw fault(what) }
    return range
  }

  private func fault(_ what: String) -> CheckpointError {
    CheckpointError(.malformed("\(what) is stored as something else"), offset: offset)
  }
}
