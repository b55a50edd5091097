import TensorCore

/// An element type as an npy header spells it (`descr`): `<f4`, `|u1`, `>i8`.
///
/// Source: numpy, "numpy.lib.format", and the array interface's type strings.
struct NpyDType: Equatable {
  /// Our name for it.
  let dtype: DType
  /// Whether the bytes of an element stand most significant first.
  let isBigEndian: Bool

  private static let known: [String: DType] = [
    "b1": .bool, "u1": .u8, "i1": .i8, "u2": .u16, "i2": .i16, "f2": .f16, "u4": .u32, "i4": .i32,
    "f4": .f32, "u8": .u64, "i8": .i64, "f8": .f64, "c8": .c64, "c16": .c128,
    // ml_dtypes, which extends numpy, writes these two, and np.load reads the first as raw bytes.
    "V2": .bf16, "f1": .f8e5m2,
  ]

  /// Understands a type string.
  ///
  /// - Throws: `CheckpointError` of the category `unsupported` that says what the type is.
  init(_ descr: String) throws(CheckpointError) {
    guard let order = descr.first, "<>|=".contains(order) else {
      throw CheckpointError(.unsupported("dtype \"\(descr)\" does not say its byte order"))
    }
    let kind = String(descr.dropFirst())
    guard let dtype = Self.known[kind] else {
      throw CheckpointError(.unsupported("dtype \"\(descr)\" \(Self.reason(kind))"))
    }
    let width = dtype.byteWidth ?? 1
    guard width == 1 || order != "=" && (order != "|" || kind == "V2") else {
      throw CheckpointError(.unsupported("dtype \"\(descr)\" does not say its byte order"))
    }
    guard kind != "V2" || order != ">" else {
      throw CheckpointError(.unsupported("dtype \"\(descr)\" is raw bytes of unknown order"))
    }
    self.dtype = dtype
    isBigEndian = order == ">" && width > 1
  }

  private static func reason(_ kind: String) -> String {
    switch kind.first {
    case "O": return "is objects, which are pickled: that can run code and is not read"
    case "U", "S", "a": return "is text"
    case "M", "m": return "is dates or times"
    case "V" where kind == "V1": return "is one raw byte, which may be any of the 8-bit floats"
    case "V": return "is raw bytes"
    case "f", "c": return "is a floating-point type that only some machines have"
    default: return "is not known"
    }
  }

  /// The type string that numpy writes for `dtype` on a little-endian machine, and np.load can
  /// always open. What numpy has no type for becomes raw bytes (`V`), as ml_dtypes writes it;
  /// packed elements become bytes.
  static func descr(of dtype: DType) -> String {
    switch dtype {
    case .bool: "|b1"
    case .u8, .f4, .f6e2m3, .f6e3m2: "|u1"
    case .i8: "|i1"
    case .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz: "|V1"
    case .u16: "<u2"
    case .i16: "<i2"
    case .f16: "<f2"
    case .bf16: "<V2"
    case .u32: "<u4"
    case .i32: "<i4"
    case .f32: "<f4"
    case .c64: "<c8"
    case .f64: "<f8"
    case .i64: "<i8"
    case .u64: "<u8"
    case .c128: "<c16"
    }
  }

  /// Whether the type string alone says what it is.
  static func saysItself(_ dtype: DType) -> Bool {
    (try? NpyDType(descr(of: dtype)))?.dtype == dtype
  }
}
