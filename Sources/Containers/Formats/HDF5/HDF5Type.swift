import TensorCore

/// What a datatype message says (HDF5 File Format Specification 3.0, section IV.A.2.d).
enum HDF5Type: Equatable {
  /// Numbers, and whether their bytes stand most significant first.
  case numbers(DType, isBigEndian: Bool)
  /// Texts of a fixed length.
  case texts(length: Int)
  /// Texts that stand elsewhere.
  case distantTexts
  /// Bytes without a meaning.
  case opaque(length: Int)
  /// Something else, with an article.
  case other(String)

  init(_ cursor: inout ByteCursor) throws(CheckpointError) {
    let offset = cursor.offset
    let head = try cursor.uint8()
    let bits = try cursor.bytes(3)
    let size = Int(try cursor.uint32())
    switch head & 0x0F {
    case 0: self = try Self.integer(bits[0], size, &cursor, at: offset)
    case 1: self = try Self.float(bits, size, &cursor, at: offset)
    case 2: self = .other("times")
    case 3: self = .texts(length: size)
    case 4: self = .other("bit fields")
    case 5: self = .opaque(length: size)
    case 6: self = .other("records")
    case 7: self = .other("references")
    case 8: self = try Self.enumeration(bits, &cursor, version: head >> 4)
    case 9: self = bits[0] & 0x0F == 1 ? .distantTexts : .other("lists")
    case 10: self = .other("arrays of arrays")
    default: throw CheckpointError(.malformed("a type of an unknown class"), offset: offset)
    }
  }

  private static func integer(
    _ bits: UInt8, _ size: Int, _ cursor: inout ByteCursor, at offset: Int
  ) throws(CheckpointError) -> HDF5Type {
    let (first, precision) = (Int(try cursor.uint16()), Int(try cursor.uint16()))
    let types: [Int: (DType, DType)] = [
      1: (.u8, .i8), 2: (.u16, .i16), 4: (.u32, .i32), 8: (.u64, .i64),
    ]
    guard let (unsigned, signed) = types[size], first == 0, precision == 8 * size else {
      throw CheckpointError(
        .unsupported("whole numbers of \(precision) bits in \(size) bytes are not read"),
        offset: offset)
    }
    return .numbers(bits & 8 == 0 ? unsigned : signed, isBigEndian: bits & 1 != 0)
  }

  private static func float(
    _ bits: [UInt8], _ size: Int, _ cursor: inout ByteCursor, at offset: Int
  ) throws(CheckpointError) -> HDF5Type {
    let (first, precision) = (Int(try cursor.uint16()), Int(try cursor.uint16()))
    let places = try cursor.bytes(4).map { Int($0) }
    let bias = Int(try cursor.uint32())
    // Sign, exponent and mantissa, from the most significant bit on, and a leading one that is not stored.
    let layout = [Int(bits[1]), places[0], places[1], places[2], places[3], bias]
    let types: [[Int]: DType] = [
      [15, 10, 5, 0, 10, 15]: .f16, [15, 7, 8, 0, 7, 127]: .bf16,
      [31, 23, 8, 0, 23, 127]: .f32, [63, 52, 11, 0, 52, 1023]: .f64,
    ]
    guard let dtype = types[layout], first == 0, precision == 8 * size,
      dtype.bitWidth == 8 * size, bits[0] & 0x30 == 0x20, bits[0] & 0x40 == 0
    else {
      throw CheckpointError(
        .unsupported("floating-point numbers of an unusual form (\(size) bytes) are not read"),
        offset: offset)
    }
    return .numbers(dtype, isBigEndian: bits[0] & 1 != 0)
  }

  /// What h5py makes of Booleans: FALSE and TRUE, as bytes 0 and 1.
  private static func enumeration(
    _ bits: [UInt8], _ cursor: inout ByteCursor, version: UInt8
  ) throws(CheckpointError) -> HDF5Type {
    // Whole numbers only: a base that is an enumeration again could go on for as long as a message is.
    let offset = cursor.offset
    guard try cursor.uint8() & 0x0F == 0 else { return .other("an enumeration") }
    let signs = try cursor.bytes(3)[0]
    let base = try integer(signs, Int(try cursor.uint32()), &cursor, at: offset)
    let names: [UInt8] =
      version < 3 ? Array("FALSE\0\0\0TRUE\0\0\0\0".utf8) : Array("FALSE\0TRUE\0".utf8)
    let expected = names + [0, 1]
    guard base == .numbers(.i8, isBigEndian: false), bits[0] == 2, bits[1] == 0,
      cursor.left >= expected.count, try cursor.bytes(expected.count) == expected
    else { return .other("an enumeration") }
    return .numbers(.bool, isBigEndian: false)
  }
}

/// The shape that a dataspace message says; `nil` if it is that of nothing.
func hdf5Shape(_ cursor: inout ByteCursor) throws(CheckpointError) -> [Int]? {
  let offset = cursor.offset
  let version = try cursor.uint8()
  let rank = Int(try cursor.uint8())
  _ = try cursor.uint8()
  switch version {
  case 1: _ = try cursor.bytes(5)
  case 2: if try cursor.uint8() == 2 { return nil }
  default:
    throw CheckpointError(.unsupported("a shape of version \(version) is not read"), offset: offset)
  }
  var shape: [Int] = []
  for _ in 0..<rank { shape.append(try cursor.int64("an extent")) }
  return shape
}
