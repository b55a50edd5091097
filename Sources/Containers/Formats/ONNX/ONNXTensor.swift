import TensorCore

/// A tensor of an ONNX model (`TensorProto`, onnx.proto), whose bytes are still in the file.
struct ONNXTensor {
  /// Where it begins in the file.
  let offset: Int
  /// Its type, by ONNX' number.
  private(set) var type = 0
  private(set) var name = ""
  private(set) var shape: [Int] = []
  /// The fields that hold numbers: which one, and where its pieces are.
  private var data: [Int: [Range<Int>]] = [:]
  /// Where the numbers are, if that is another file: keys and values.
  private var place: [String: String] = [:]
  private var isExternal = false

  /// The type of texts.
  static let text = 8

  /// How many pieces the numbers may be in. Writers make one.
  private static let maximumPieces = 1024

  init(_ message: WireReader, at offset: Int) throws(CheckpointError) {
    self.offset = offset
    var reader = message
    while let field = try reader.next() {
      switch field.number {
      case 1: try addExtents(field, reader)
      case 2: type = try field.int("the type")
      case 3:
        throw CheckpointError(.unsupported("a tensor in segments is not read"), offset: offset)
      case 4, 5, 7, 9, 10, 11: try addData(field)
      case 8: name = try reader.text(try field.bytes("a name"), limit: Limits.name)
      case 13: try addPlace(reader.message(try field.bytes("a place")))
      case 14: isExternal = try field.int("where the bytes are") == 1
      default: break
      }
    }
  }

  /// Extents, each for itself or packed.
  private mutating func addExtents(
    _ field: WireReader.Field, _ reader: WireReader
  ) throws(CheckpointError) {
    func append(_ bits: UInt64) throws(CheckpointError) {
      guard let extent = Int(exactly: bits) else {
        throw CheckpointError(.malformed("an extent is negative"), offset: field.offset)
      }
      guard shape.count <= Limits.rank else { return }
      shape.append(extent)
    }
    switch field.value {
    case .number(let bits): try append(bits)
    case .bytes(let range):
      var packed = reader.message(range)
      while !packed.cursor.isAtEnd { try append(try packed.varint()) }
    default: throw CheckpointError(.malformed("the shape is no numbers"), offset: field.offset)
    }
  }

  private mutating func addData(_ field: WireReader.Field) throws(CheckpointError) {
    guard case .bytes(let range) = field.value else {
      throw CheckpointError(
        .unsupported("the numbers stand one by one (not packed), which is not read"),
        offset: field.offset)
    }
    let pieces = data[field.number, default: []].count + 1
    guard pieces <= Self.maximumPieces, field.number != 9 || pieces == 1 else {
      throw CheckpointError(
        .malformed("the numbers are in too many pieces"), offset: field.offset)
    }
    data[field.number, default: []].append(range)
  }

  /// `StringStringEntryProto`: a key and a value.
  private mutating func addPlace(_ message: WireReader) throws(CheckpointError) {
    var reader = message
    var (key, value) = ("", "")
    while let field = try reader.next() {
      switch field.number {
      case 1: key = try reader.text(try field.bytes("a key"), limit: Limits.name)
      case 2: value = try reader.text(try field.bytes("a value"), limit: Limits.name)
      default: break
      }
    }
    guard place.count < 16, place.updateValue(value, forKey: key) == nil else {
      throw CheckpointError(.malformed("the place of its bytes is given twice"))
    }
  }

  /// The tensor.
  ///
  /// - Parameter external: the files in which other tensors' bytes are.
  func tensor(
    _ name: TensorName, in file: any ByteSource, _ external: inout ONNXExternalFiles
  ) throws(CheckpointError) -> Tensor {
    guard !name.text.isEmpty else { throw CheckpointError(.malformed("a tensor has no name")) }
    let type = try ONNXType(type)
    guard let count = checkedElementCount(of: shape), let size = type.dtype.byteCount(shape: shape)
    else {
      try checkByteCount(0, dtype: type.dtype, shape: shape)
      throw CheckpointError(.overflow("the shape"))
    }
    let bytes: any TensorBytes
    if isExternal {
      guard data.isEmpty else {
        throw CheckpointError(.malformed("its bytes are in the file, and in another one"))
      }
      bytes = try external.bytes(at: place, size: size)
    } else {
      bytes = try inner(type, elements: count, file)
    }
    try checkByteCount(bytes.count, dtype: type.dtype, shape: shape)
    return Tensor(name: name, dtype: type.dtype, shape: shape, bytes: bytes)
  }

  /// The numbers that stand in the file.
  private func inner(
    _ type: ONNXType, elements: Int, _ file: any ByteSource
  ) throws(CheckpointError) -> any TensorBytes {
    guard data.count <= 1 else {
      throw CheckpointError(.malformed("its numbers are stored twice"))
    }
    guard let (field, ranges) = data.first else { return ByteArray([]) }
    let parts = ranges.map { FileBytes(file: file, start: $0.lowerBound, count: $0.count) }
    let joined: any TensorBytes
    if parts.count == 1 {
      joined = parts[0]
    } else {
      guard let all = JoinedBytes(parts) else { throw CheckpointError(.overflow("the size")) }
      joined = all
    }
    if field == 9 { return joined }
    guard field == type.field else {
      throw CheckpointError(.malformed("its numbers are stored as those of another type"))
    }
    if type.isFixed { return joined }
    return try VarintBytes(ranges, in: file, dtype: type.dtype, elements: elements)
  }
}

/// A type of ONNX (`TensorProto.DataType`).
private struct ONNXType {
  let dtype: DType
  /// The field in which its numbers are, unless they are raw bytes.
  let field: Int
  /// Whether they stand there as they are, and not each in as few bytes as it takes.
  let isFixed: Bool

  private static let known: [Int: (DType, Int, Bool)] = [
    1: (.f32, 4, true), 14: (.c64, 4, true), 11: (.f64, 10, true), 15: (.c128, 10, true),
    2: (.u8, 5, false), 3: (.i8, 5, false), 4: (.u16, 5, false), 5: (.i16, 5, false),
    6: (.i32, 5, false), 9: (.bool, 5, false), 10: (.f16, 5, false), 16: (.bf16, 5, false),
    17: (.f8e4m3, 5, false), 18: (.f8e4m3fnuz, 5, false), 19: (.f8e5m2, 5, false),
    20: (.f8e5m2fnuz, 5, false), 24: (.f8e8m0, 5, false), 7: (.i64, 7, false),
    12: (.u32, 11, false), 13: (.u64, 11, false), 23: (.f4, 0, false),
  ]

  /// - Throws: `CheckpointError` of the category `unsupported`.
  init(_ number: Int) throws(CheckpointError) {
    guard let (dtype, field, isFixed) = Self.known[number] else {
      let names = [
        21: "UINT4", 22: "INT4", 25: "UINT2", 26: "INT2", 27: "FLOAT6E2M3", 28: "FLOAT6E3M2",
      ]
      if number == 0 { throw CheckpointError(.malformed("the tensor has no type")) }
      throw CheckpointError(
        .unsupported(
          names[number].map { "dtype \"\($0)\" is not read" }
            ?? "a type of the unknown number \(number)"))
    }
    (self.dtype, self.field, self.isFixed) = (dtype, field, isFixed)
  }
}
