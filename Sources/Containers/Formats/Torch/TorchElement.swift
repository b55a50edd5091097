import TensorCore

/// The elements of a storage or a tensor, as torch has them.
struct TorchElement: Equatable, Sendable {
  /// What we call them.
  let dtype: DType
  /// The bytes of what torch counts as one.
  let width: Int

  private init(_ dtype: DType) {
    self.dtype = dtype
    width = dtype.byteWidth ?? 1
  }

  /// Bytes of no type.
  static let byte = TorchElement(.u8)

  /// How many of ours are in one of torch's: two numbers of four bits are one element there.
  var packing: Int { dtype == .f4 ? 2 : 1 }

  /// The shape that we give to one of torch's.
  func ownShape(_ shape: [Int]) -> [Int] {
    guard packing > 1, let last = shape.last else { return shape }
    return shape.dropLast() + [last * packing]
  }

  /// How many elements torch counts in a tensor of these extents.
  ///
  /// - Throws: `CheckpointError` if its bits are too many for a number, or it has no place for a packed element.
  func checkedCount(of shape: [Int]) throws(CheckpointError) -> Int {
    guard let count = checkedElementCount(of: shape),
      count.multipliedIfFits(by: 8 * max(width, packing)) != nil
    else {
      throw CheckpointError(.overflow("the number of bytes of \(dtype) \(describe(shape: shape))"))
    }
    guard packing == 1 || !shape.isEmpty else {
      throw CheckpointError(.unsupported("it is a scalar of packed elements"))
    }
    return count
  }

  /// The elements of a class of storages: `FloatStorage`, with whatever module before it.
  init?(storageClass name: String) {
    guard let element = Self.storages[Self.lastPart(of: name)] else { return nil }
    self = element
  }

  /// The elements of a dtype: `torch.float32`.
  init?(dtype name: String) {
    guard name.hasPrefix("torch."), let element = Self.dtypes[Self.lastPart(of: name)] else {
      return nil
    }
    self = element
  }

  private static func lastPart(of name: String) -> String {
    String(name.split(separator: ".").last ?? "")
  }

  /// torch's classes, and those of quantised numbers: the codes that stand for them.
  private static let storages: [String: TorchElement] = [
    "FloatStorage": .f32, "DoubleStorage": .f64, "HalfStorage": .f16, "BFloat16Storage": .bf16,
    "CharStorage": .i8, "ByteStorage": .u8, "ShortStorage": .i16, "IntStorage": .i32,
    "LongStorage": .i64, "BoolStorage": .bool, "ComplexFloatStorage": .c64,
    "ComplexDoubleStorage": .c128, "QInt8Storage": .i8, "QUInt8Storage": .u8,
    "QInt32Storage": .i32, "UntypedStorage": .u8, "_UntypedStorage": .u8,
  ].mapValues { TorchElement($0) }

  private static let dtypes: [String: TorchElement] = Dictionary(
    uniqueKeysWithValues: names.flatMap { dtype, names in
      names.map { ($0, TorchElement(dtype)) }
    })

  private static let names: [(DType, [String])] = [
    (.bool, ["bool"]), (.u8, ["uint8", "quint8"]), (.i8, ["int8", "qint8"]),
    (.u16, ["uint16"]), (.i16, ["int16", "short"]), (.u32, ["uint32"]),
    (.i32, ["int32", "int", "qint32"]), (.u64, ["uint64"]), (.i64, ["int64", "long"]),
    (.f16, ["float16", "half"]), (.bf16, ["bfloat16"]), (.f32, ["float32", "float"]),
    (.f64, ["float64", "double"]), (.c64, ["complex64", "cfloat"]),
    (.c128, ["complex128", "cdouble"]), (.f8e4m3, ["float8_e4m3fn"]),
    (.f8e5m2, ["float8_e5m2"]), (.f8e8m0, ["float8_e8m0fnu"]),
    (.f8e4m3fnuz, ["float8_e4m3fnuz"]), (.f8e5m2fnuz, ["float8_e5m2fnuz"]),
    (.f4, ["float4_e2m1fn_x2"]),
  ]

  /// How torch names a type of ours, or `nil` if it has none: a class of storages, and where that does not
  /// say it, a dtype.
  static func names(of dtype: DType) -> (storage: String, dtype: String?)? {
    switch dtype {
    case .f32: ("FloatStorage", nil)
    case .f64: ("DoubleStorage", nil)
    case .f16: ("HalfStorage", nil)
    case .bf16: ("BFloat16Storage", nil)
    case .i8: ("CharStorage", nil)
    case .u8: ("ByteStorage", nil)
    case .i16: ("ShortStorage", nil)
    case .i32: ("IntStorage", nil)
    case .i64: ("LongStorage", nil)
    case .bool: ("BoolStorage", nil)
    case .c64: ("ComplexFloatStorage", nil)
    case .c128: ("ComplexDoubleStorage", nil)
    case .f6e2m3, .f6e3m2: nil
    default: names.first { $0.0 == dtype }.map { ("UntypedStorage", $0.1[0]) }
    }
  }
}
