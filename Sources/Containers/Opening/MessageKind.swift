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

    /// `nil` for a number that is none of a length or a version.
    init?(_ field: WireReader.Field) {
      number = field.number
      switch field.value {
      case .number(let bits):
        guard let value = Int(exactly: bits) else { return nil }
        (wire, self.value, start) = (0, value, field.offset)
      case .bytes(let range): (wire, value, start) = (2, range.count, range.lowerBound)
      case .fixed64: (wire, value, start) = (1, 0, field.offset)
      case .fixed32: (wire, value, start) = (5, 0, field.offset)
      }
    }
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
    var reader = WireReader(SourceCursor(glimpse.source))
    while !reader.cursor.isAtEnd {
      if fields.count == limit { return (fields, false) }
      guard let next = try? reader.next(), let field = Field(next) else { return nil }
      fields.append(field)
    }
    return (fields, true)
  }
}
