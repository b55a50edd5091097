import TensorCore

/// What the empty key of an index says about the whole (`BundleHeaderProto`, tensor_bundle.proto).
struct BundleHeader {
  /// How many files of bytes there are.
  private(set) var shardCount = 0
  private(set) var isBigEndian = false

  /// The version of the format that we know.
  private static let version = 1

  init(_ message: [UInt8]) throws(CheckpointError) {
    var reader = WireReader(SourceCursor(MemorySource(name: "", bytes: message)))
    while let field = try reader.next() {
      switch field.number {
      case 1: shardCount = try field.int("the number of shards")
      case 2: isBigEndian = try field.int("the byte order") == 1
      case 3: try Self.check(reader.message(try field.bytes("the version")))
      default: break
      }
    }
    guard (1...99_999).contains(shardCount) else {
      throw CheckpointError(.malformed("the index says that there are \(shardCount) shards"))
    }
  }

  /// Whether readers of this version may read it.
  private static func check(_ message: WireReader) throws(CheckpointError) {
    var reader = message
    while let field = try reader.next() {
      guard field.number == 2 else { continue }
      let needed = try field.int("the version")
      guard needed <= version else {
        throw CheckpointError(
          .unsupported("needs a reader of version \(needed) of TensorFlow's checkpoints"))
      }
    }
  }
}

/// What the index says about a tensor (`BundleEntryProto`, tensor_bundle.proto).
struct BundleEntry {
  /// Its type, by TensorFlow's number (`DataType`, types.proto).
  private(set) var type = 0
  private(set) var shape: [Int] = []
  private(set) var shard = 0
  private(set) var offset = 0
  private(set) var size = 0
  private(set) var checksum: UInt32 = 0
  /// Of a partitioned tensor, its parts: for each axis where a part begins and how long it is, or `nil` for
  /// the whole axis.
  private(set) var slices: [[Range<Int>?]] = []

  init(_ message: [UInt8]) throws(CheckpointError) {
    var reader = WireReader(SourceCursor(MemorySource(name: "", bytes: message)))
    while let field = try reader.next() {
      switch field.number {
      case 1: type = try field.int("the type")
      case 2: shape = try Self.shape(reader.message(try field.bytes("the shape")))
      case 3: shard = try field.int("the shard")
      case 4: offset = try field.int("the offset")
      case 5: size = try field.int("the size")
      case 6:
        guard case .fixed32(let value) = field.value else {
          throw CheckpointError(.malformed("the checksum is stored as something else"))
        }
        checksum = value
      case 7: slices.append(try Self.slice(reader.message(try field.bytes("a slice"))))
      default: break
      }
    }
    guard shard >= 0, offset >= 0, size >= 0, offset.addedIfFits(size) != nil else {
      throw CheckpointError(.malformed("a place or a size is negative"))
    }
  }

  /// `TensorShapeProto`, tensor_shape.proto.
  private static func shape(_ message: WireReader) throws(CheckpointError) -> [Int] {
    var reader = message
    var shape: [Int] = []
    while let field = try reader.next() {
      switch field.number {
      case 2:
        var axis = reader.message(try field.bytes("an extent"))
        var extent = 0
        while let field = try axis.next() {
          if field.number == 1 { extent = try field.int("an extent") }
        }
        guard extent >= 0 else { throw CheckpointError(.malformed("an extent is negative")) }
        shape.append(extent)
      case 3:
        guard try field.int("the rank") == 0 else {
          throw CheckpointError(.malformed("the rank is not known"))
        }
      default: break
      }
      guard shape.count <= Limits.rank else { break }
    }
    return shape
  }

  /// `TensorSliceProto`, tensor_slice.proto.
  private static func slice(_ message: WireReader) throws(CheckpointError) -> [Range<Int>?] {
    var reader = message
    var slice: [Range<Int>?] = []
    while let field = try reader.next() {
      guard field.number == 1, slice.count <= Limits.rank else { continue }
      var extent = reader.message(try field.bytes("a slice"))
      var (start, length) = (0, Int?.none)
      while let field = try extent.next() {
        if field.number == 1 { start = try field.int("a slice") }
        if field.number == 2 { length = try field.int("a slice") }
      }
      guard let length else {
        slice.append(nil)
        continue
      }
      guard start >= 0, length >= 0, let end = start.addedIfFits(length) else {
        throw CheckpointError(.malformed("a slice has a negative extent"))
      }
      slice.append(start..<end)
    }
    return slice
  }
}

extension BundleEntry {
  /// Texts and what else is no number: its kind; `nil` of numbers.
  var aside: String? {
    switch type {
    case 7: shape.isEmpty ? "a text" : "texts"
    case 20: "a resource"
    case 21: "a variant"
    default: nil
    }
  }

  /// The element type.
  ///
  /// - Throws: `CheckpointError` of the category `unsupported` for one that we have no name for.
  var dtype: DType {
    get throws(CheckpointError) {
      let known: [Int: DType] = [
        1: .f32, 2: .f64, 3: .i32, 4: .u8, 5: .i16, 6: .i8, 8: .c64, 9: .i64, 10: .bool, 14: .bf16,
        17: .u16, 18: .c128, 19: .f16, 22: .u32, 23: .u64, 24: .f8e5m2, 25: .f8e4m3,
        26: .f8e4m3fnuz, 28: .f8e5m2fnuz,
      ]
      if let dtype = known[type] { return dtype }
      let names = [
        11: "qint8", 12: "quint8", 13: "qint32", 15: "qint16", 16: "quint16",
        27: "float8_e4m3b11fnuz", 29: "int4", 30: "uint4", 31: "int2", 32: "uint2",
        33: "float4_e2m1fn",
      ]
      throw CheckpointError(
        .unsupported(
          names[type].map { "dtype \"\($0)\" is not read" }
            ?? "a type of the unknown number \(type)"))
    }
  }
}
