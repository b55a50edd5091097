import TensorCore

/// Reads the fields of a message of Protocol Buffers one after the other (protobuf.dev, "TokenizedText").
struct ProtobufReader {
  enum Value {
    case number(UInt64)
    case fixed32(UInt32)
    case bytes(Range<Int>)
    /// Eight bytes, which no field that is read here has.
    case fixed64
  }

  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  /// The message in a part of some bytes.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  private func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.malformed("no sentencepiece model: \(reason)"), offset: position)
  }

  /// The next field; `nil` at the end.
  mutating func next() throws(CheckpointError) -> (number: Int, value: Value)? {
    guard position < end else { return nil }
    let tag = try varint()
    guard let number = Int(exactly: tag >> 3), (1..<1 << 29).contains(number) else {
      throw fault("a field without number")
    }
    switch tag & 7 {
    case 0: return (number, .number(try varint()))
    case 1:
      _ = try take(8)
      return (number, .fixed64)
    case 2:
      guard let count = Int(exactly: try varint()) else { throw fault("a field that does not end") }
      return (number, .bytes(try take(count)))
    case 5:
      let range = try take(4)
      let value = range.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[$1]) }
      return (number, .fixed32(value))
    default: throw fault("a field of an unknown kind")
    }
  }

  private mutating func take(_ count: Int) throws(CheckpointError) -> Range<Int> {
    guard count <= end - position else { throw fault("a field that does not end") }
    defer { position += count }
    return position..<position + count
  }

  private mutating func varint() throws(CheckpointError) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<10 {
      guard position < end else { throw fault("a number that does not end") }
      let byte = bytes[position]
      position += 1
      guard index < 9 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7F) << UInt64(7 * index)
      if byte & 0x80 == 0 { return value }
    }
    throw fault("a number of more than 64 bits")
  }
}
