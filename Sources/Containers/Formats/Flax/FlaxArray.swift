import TensorCore

/// An array in a Flax file.
struct FlaxArray {
  let dtype: DType
  private(set) var shape: [Int] = []
  let bytes: any TensorBytes
  /// Where it is in the file.
  let offset: Int

  /// The array as a tensor.
  func tensor(_ name: TensorName) -> Tensor {
    Tensor(name: name, dtype: dtype, shape: shape, bytes: bytes)
  }

  /// A number.
  init(_ dtype: DType, _ bytes: [UInt8], at offset: Int) {
    self.dtype = dtype
    self.bytes = ByteArray(bytes)
    self.offset = offset
  }

  /// An array of numpy: `[shape, name of the type, bytes in C order]`, which fills `range`.
  init(_ range: Range<Int>, in file: any ByteSource) throws(CheckpointError) {
    offset = range.lowerBound
    var reader = MessagePackReader(SourceCursor(file, range))
    guard case .array(count: 3) = try reader.item(), case .array(let rank) = try reader.item()
    else { throw Self.fault("is no list of shape, type and bytes", at: range.lowerBound) }
    try Limits.check(name: "", rank: rank, offset: offset)
    for _ in 0..<rank {
      guard case .integer(let extent) = try reader.item(), extent >= 0 else {
        throw Self.fault("has an extent that is no number from 0", at: offset)
      }
      shape.append(extent)
    }
    guard case .text(let type) = try reader.item(), case .binary(let data) = try reader.item(),
      reader.cursor.isAtEnd
    else { throw Self.fault("is no list of shape, type and bytes", at: offset) }
    dtype = try DType(numpyName: type, at: offset)
    bytes = FileBytes(file: file, start: data.lowerBound, count: data.count)
    try checkSize(at: data.lowerBound)
  }

  /// A complex number of Python: two numbers.
  init(complex range: Range<Int>, in file: any ByteSource) throws(CheckpointError) {
    offset = range.lowerBound
    dtype = .c128
    var reader = MessagePackReader(SourceCursor(file, range))
    guard case .array(count: 2) = try reader.item(),
      case .float(let real) = try reader.item(), case .float(let imaginary) = try reader.item(),
      reader.cursor.isAtEnd
    else {
      throw CheckpointError(.malformed("a complex number is not two numbers"), offset: offset)
    }
    bytes = ByteArray(
      real.bitPattern.littleEndianBytes + imaginary.bitPattern.littleEndianBytes)
  }

  /// An array that was too large for one item: `shape` and `chunks`, both maps from 0 on.
  init(joining members: [FlaxNode.Member]) throws(CheckpointError) {
    guard members.count == 3, let shape = Self.list("shape", in: members),
      let chunks = Self.list("chunks", in: members), let first = chunks.first,
      chunks.allSatisfy({ $0.dtype == first.dtype && $0.shape.count == 1 })
    else {
      throw CheckpointError(
        .malformed("an array in pieces is not a shape and vectors of one type"))
    }
    var extents: [Int] = []
    for number in shape {
      guard number.dtype == .i64, number.shape.isEmpty,
        let value = Int(exactly: Int64(bitPattern: littleEndian(try number.bytes.read(0..<8)[...])))
      else { throw Self.fault("has an extent that is no number", at: number.offset) }
      extents.append(value)
    }
    offset = first.offset
    dtype = first.dtype
    self.shape = extents
    guard let joined = JoinedBytes(chunks.map(\.bytes)) else {
      throw CheckpointError(.overflow("the number of bytes"), offset: first.offset)
    }
    bytes = joined
    try checkSize(at: offset)
  }

  /// The arrays of a map with the keys 0, 1, … in order.
  private static func list(
    _ key: String, in members: [FlaxNode.Member]
  ) -> [FlaxArray]? {
    guard case .map(let inner)? = members.first(where: { $0.key == key })?.node else { return nil }
    var arrays: [FlaxArray] = []
    for (number, member) in inner.enumerated() {
      guard member.key == "\(number)", case .array(let array) = member.node else { return nil }
      arrays.append(array)
    }
    return arrays
  }

  private func checkSize(at offset: Int) throws(CheckpointError) {
    do {
      try checkByteCount(bytes.count, dtype: dtype, shape: shape)
    } catch {
      var error = error
      error.offset = offset
      throw error
    }
  }

  private static func fault(_ reason: String, at offset: Int) -> CheckpointError {
    CheckpointError(.malformed("an array \(reason)"), offset: offset)
  }
}

extension DType {
  /// The type that numpy, or ml_dtypes, calls so (`dtype.name`).
  ///
  /// - Throws: `CheckpointError` of the category `unsupported`.
  init(numpyName name: String, at offset: Int?) throws(CheckpointError) {
    let known: [String: DType] = [
      "bool": .bool, "uint8": .u8, "int8": .i8, "uint16": .u16, "int16": .i16, "uint32": .u32,
      "int32": .i32, "uint64": .u64, "int64": .i64, "float16": .f16, "bfloat16": .bf16,
      "float32": .f32, "float64": .f64, "complex64": .c64, "complex128": .c128,
      "float8_e4m3fn": .f8e4m3, "float8_e5m2": .f8e5m2, "float8_e8m0fnu": .f8e8m0,
      "float8_e4m3fnuz": .f8e4m3fnuz, "float8_e5m2fnuz": .f8e5m2fnuz,
    ]
    guard let dtype = known[name] else {
      throw CheckpointError(.unsupported("dtype \"\(name)\" is not read"), offset: offset)
    }
    self = dtype
  }
}
