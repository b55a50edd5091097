/// What the index says about a chunk: a hash of its bytes in the file, and how each plane is stored.
struct TFZRecord: Sendable {
  let hash: UInt64
  /// For each plane the encoding in the upper 8 bits, the number of bytes in the lower 24.
  let planes: [UInt32]

  /// Bytes of a record in the index.
  static func size(width: Int) -> Int { 8 + 4 * width }

  /// How a plane is stored.
  static func encoding(_ plane: UInt32) -> TFZ.Encoding? { TFZ.Encoding(rawValue: plane >> 24) }

  /// The bytes of a plane in the file.
  static func length(_ plane: UInt32) -> Int { Int(plane & 0xFF_FFFF) }

  /// The bytes in the file of a plane of `units` bytes, or `nil` if it cannot be stored so.
  static func checkedLength(_ plane: UInt32, units: Int) -> Int? {
    let length = length(plane)
    switch encoding(plane) {
    case .raw where length == units: return length
    case .constant where length == 1: return length
    case .zstd where length > 0 && length < units: return length
    default: return nil
    }
  }

  /// The record in the index.
  var bytes: [UInt8] { hash.littleEndianBytes + planes.flatMap(\.littleEndianBytes) }
}
