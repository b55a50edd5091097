import TensorCore

/// The extra fields of a zip header: pairs of a number and bytes.
///
/// Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.4.28 and 4.5.
struct ZipExtra {
  private(set) var fields: [(id: UInt16, bytes: [UInt8])] = []

  /// The number of the field with 64-bit sizes (section 4.5.3).
  static let zip64: UInt16 = 0x0001
  /// The number of the field that gives a member another name (section 4.6.9).
  private static let unicodePath: UInt16 = 0x7075

  /// Reads fields, which must fill `bytes` to the end.
  init(_ bytes: [UInt8], at offset: Int) throws(CheckpointError) {
    var cursor = ByteCursor(bytes, at: offset)
    while !cursor.isAtEnd {
      let offset = cursor.offset
      let id = try cursor.uint16()
      let count = try cursor.uint16()
      guard id != Self.unicodePath else {
        throw CheckpointError(.unsupported("a zip member has a second name"), offset: offset)
      }
      fields.append((id, try cursor.bytes(Int(count))))
    }
  }

  /// The bytes of the field of that number, if there is one.
  ///
  /// - Throws: `CheckpointError` if there are several.
  func field(_ id: UInt16, at offset: Int) throws(CheckpointError) -> [UInt8]? {
    let matching = fields.filter { $0.id == id }
    guard matching.count <= 1 else {
      throw CheckpointError(.malformed("a zip header has an extra field twice"), offset: offset)
    }
    return matching.first?.bytes
  }

  /// Replaces each of `values` that is all ones by what the 64-bit field says, in order.
  ///
  /// - Parameter mayRepeat: whether the field may also have all values, as Python's zipfile wrote local
  ///   headers until 3.11.3; those that stand there twice must then be equal.
  /// - Throws: `CheckpointError` unless the field has exactly the values that are asked for.
  func resolve(
    _ values: [UInt32], at offset: Int, mayRepeat: Bool = false
  ) throws(CheckpointError) -> [Int] {
    let field = try field(Self.zip64, at: offset)
    if mayRepeat, let field, field.count == 8 * values.count {
      return try repeated(field, values, at: offset)
    }
    var cursor = ByteCursor(field ?? [], at: offset)
    var result: [Int] = []
    for value in values {
      let isLong = value == .max && field != nil
      result.append(isLong ? try cursor.int64("a 64-bit zip size") : Int(value))
    }
    guard cursor.isAtEnd else {
      throw CheckpointError(
        .malformed("a zip header has 64-bit sizes beside its 32-bit sizes"), offset: offset)
    }
    return result
  }

  /// The values of a field that has them all.
  private func repeated(
    _ field: [UInt8], _ values: [UInt32], at offset: Int
  ) throws(CheckpointError) -> [Int] {
    var cursor = ByteCursor(field, at: offset)
    var result: [Int] = []
    for value in values {
      let long = try cursor.int64("a 64-bit zip size")
      guard value == .max || Int(value) == long else {
        throw CheckpointError(
          .malformed("a zip header has 64-bit sizes that are not its 32-bit sizes"),
          offset: offset)
      }
      result.append(long)
    }
    return result
  }
}
