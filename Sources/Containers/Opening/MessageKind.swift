import TensorCore

/// What a message of Protocol Buffers is, told by the numbers and types of its outermost fields.
///
/// Sources: the encoding (protobuf.dev, "Encoding"); `onnx.proto`, `saved_model.proto`, `graph.proto`
/// and Core ML's `Model.proto`. Nothing in the fields is read but their lengths, so a model of any size
/// takes a few reads.
enum MessageKind {
  case onnx
  case savedModel
  case graph
  case coreML

  /// A field: its number, how it is stored, and where its contents are.
  private struct Field {
    let number: Int
    let wire: Int
    /// The number that it is, or the bytes that it has.
    let value: Int
    /// Where its contents begin.
    let start: Int

    var end: Int { wire == 2 ? start + value : start }
  }

  /// How many fields are looked at.
  private static let limit = 64

  /// What a file is, or `nil` if it is no such message.
  init?(_ glimpse: Glimpse) {
    guard glimpse.begins(with: [0x08]) || glimpse.begins(with: [0x0A]) else { return nil }
    guard let (fields, isWhole) = Self.fields(glimpse), let first = fields.first else { return nil }
    let texts = Set(fields.filter { $0.wire == 2 }.map(\.number))
    let numbers = Set(fields.map(\.number))
    func begins(_ field: Field, _ byte: UInt8) -> Bool {
      glimpse.bytes(at: field.start, 1) == [byte]
    }
    if first.number == 1, first.wire == 0 {
      guard (1...64).contains(first.value) else { return nil }
      if texts.contains(7), numbers.isSubset(of: [1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26]) {
        self = .onnx
      } else if isWhole, numbers == [1, 2], let second = fields.dropFirst().first, second.wire == 2,
        begins(second, 0x0A)
      {
        self = .savedModel
      } else if isWhole, texts.contains(2), texts.contains(where: { (200..<4000).contains($0) }),
        numbers.allSatisfy({ [1, 2, 10].contains($0) || (200..<4000).contains($0) })
      {
        self = .coreML
      } else {
        return nil
      }
      return
    }
    // Nodes, each of which begins with its name, followed by its operation.
    guard isWhole || fields.count == Self.limit, numbers.isSubset(of: [1, 2, 3, 4, 5]),
      fields.filter({ $0.number == 1 }).allSatisfy({ Self.isNode($0, glimpse) })
    else { return nil }
    self = .graph
  }

  private static func isNode(_ field: Field, _ glimpse: Glimpse) -> Bool {
    let bytes = glimpse.bytes(at: field.start, min(field.value, 256))
    guard field.wire == 2, bytes.count > 4, bytes[0] == 0x0A, bytes[1] < 0x80 else { return false }
    let operation = 2 + Int(bytes[1])
    return bytes[1] > 0 && operation < bytes.count && bytes[operation] == 0x12
  }

  /// The outermost fields, and whether they are all; `nil` if that cannot be a message.
  private static func fields(_ glimpse: Glimpse) -> (fields: [Field], isWhole: Bool)? {
    var fields: [Field] = []
    var position = 0
    while position < glimpse.source.size {
      if fields.count == limit { return (fields, false) }
      guard let field = field(at: position, glimpse) else { return nil }
      guard field.end <= glimpse.source.size else { return nil }
      fields.append(field)
      position = field.end
    }
    return (fields, true)
  }

  private static func field(at position: Int, _ glimpse: Glimpse) -> Field? {
    let bytes = glimpse.bytes(at: position, 20)
    guard let (tag, tagSize) = varint(bytes[...]), tag >> 3 > 0, tag >> 3 < 1 << 29 else {
      return nil
    }
    let rest = position + tagSize
    switch tag & 7 {
    case 1: return Field(number: tag >> 3, wire: 1, value: 0, start: rest + 8)
    case 5: return Field(number: tag >> 3, wire: 5, value: 0, start: rest + 4)
    case 0, 2:
      guard let (value, size) = varint(bytes.dropFirst(tagSize)),
        (rest + size).addedIfFits(value) != nil
      else { return nil }
      return Field(number: tag >> 3, wire: tag & 7, value: value, start: rest + size)
    default: return nil
    }
  }

  /// A number in pieces of seven bits, and how many bytes it takes; `nil` if it is too large.
  private static func varint(_ bytes: ArraySlice<UInt8>) -> (value: Int, size: Int)? {
    var value = 0
    for (index, byte) in bytes.prefix(9).enumerated() {
      value |= Int(byte & 0x7F) << (7 * index)
      if byte & 0x80 == 0 { return value >= 0 ? (value, index + 1) : nil }
    }
    return nil
  }
}
