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

  /// Other spellings that numpy reads and that mean the same on every machine: characters of the array
  /// module, with or without a byte order.
  private static let characters: [String: String] = [
    "?": "b1", "b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "q": "i8",
    "Q": "u8", "e": "f2", "f": "f4", "d": "f8", "F": "c8", "D": "c16",
  ]

  /// And numpy's names, which stand alone.
  private static let names: [String: String] = [
    "bool": "b1", "bool_": "b1", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "int64": "i8", "uint64": "u8", "float16": "f2",
    "float32": "f4", "float64": "f8", "complex64": "c8", "complex128": "c16", "byte": "i1",
    "ubyte": "u1", "short": "i2", "ushort": "u2", "intc": "i4", "uintc": "u4", "longlong": "i8",
    "ulonglong": "u8", "half": "f2", "single": "f4", "double": "f8", "float": "f8",
    "csingle": "c8", "cdouble": "c16", "complex": "c16",
  ]

  /// Spellings of integers whose size is that of the machine that reads them.
  private static let machineDependent: Set<String> = [
    "int", "uint", "int_", "intp", "uintp", "long", "ulong", "l", "L", "p", "P", "n", "N",
  ]

  /// Understands a type string. Without a byte order, and with `=` or `|`, numpy means the machine's,
  /// which is little-endian wherever this runs.
  ///
  /// - Throws: `CheckpointError` of the category `unsupported` that says what the type is.
  init(_ descr: String) throws(CheckpointError) {
    let order = descr.first.flatMap { "<>|=".contains($0) ? $0 : nil }
    let spelling = String(order == nil ? descr[...] : descr.dropFirst())
    let kind = Self.kind(spelling, hasOrder: order != nil)
    guard let dtype = Self.known[kind] else {
      throw CheckpointError(.unsupported("dtype \"\(descr)\" \(Self.reason(kind))"))
    }
    // What only ml_dtypes says is understood only as it says it.
    if kind == "V2", order != "<" && order != "|" {
      throw CheckpointError(.unsupported("dtype \"\(descr)\" is raw bytes of unknown order"))
    }
    guard kind != "f1" || order != nil else {
      throw CheckpointError(.unsupported("dtype \"\(descr)\" is not known"))
    }
    self.dtype = dtype
    isBigEndian = order == ">" && (dtype.byteWidth ?? 1) > 1
  }

  /// The usual spelling of a type without its byte order.
  private static func kind(_ spelling: String, hasOrder: Bool) -> String {
    if !hasOrder, let kind = names[spelling] { return kind }
    var rest = spelling[...]
    // One of them is no array.
    for one in ["1", "(1,)", "()"] where rest.hasPrefix(one) && rest.count > one.count {
      rest = rest.dropFirst(one.count)
      break
    }
    if rest.startIndex != spelling.startIndex, rest.hasPrefix("V") { return spelling }
    if let kind = characters[String(rest)] { return kind }
    // f04 is f4.
    guard let letter = rest.first, "iufc".contains(letter) else { return String(rest) }
    return String(letter) + rest.dropFirst().drop { $0 == "0" }
  }

  /// What elements are that are no numbers: texts, or dates and times; `nil` of all others.
  static func nonNumber(_ descr: String) -> String? {
    let spelling = descr.drop { "<>|=".contains($0) }
    switch spelling.first {
    case "U", "S", "a": return "texts"
    case "M", "m": return "dates or times"
    default: return nil
    }
  }

  private static func reason(_ kind: String) -> String {
    if machineDependent.contains(kind) { return "has another size on other machines" }
    switch kind.first {
    case "O": return "is objects, which are pickled: that can run code and is not read"
    case "U", "S", "a", "s": return "is text"
    case "M", "m": return "is dates or times"
    case "V" where kind == "V1":
      return "is one raw byte, which may be any of sixteen types of ml_dtypes"
    case "V": return "is raw bytes"
    case "f" where kind.hasPrefix("float"): return "is the name of no type that numpy has by itself"
    case "f", "c", "g", "G": return "is a floating-point type that only some machines have"
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
    // Blocks, which are not written.
    default: "|u1"
    }
  }

  /// Whether the type string alone says what it is.
  static func saysItself(_ dtype: DType) -> Bool {
    (try? NpyDType(descr(of: dtype)))?.dtype == dtype
  }
}
