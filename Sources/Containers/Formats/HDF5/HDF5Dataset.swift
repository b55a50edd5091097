import TensorCore

/// A dataset: its type, its shape, and where its bytes are.
struct HDF5Dataset {
  private let type: HDF5Type
  private let shape: [Int]?
  private let file: HDF5File
  private let object: HDF5Object

  init(
    _ object: HDF5Object, in file: HDF5File, _ walk: HDF5Walk
  ) throws(CheckpointError) {
    guard let space = object.first(HDF5MessageType.dataspace),
      let datatype = object.first(HDF5MessageType.datatype)
    else { throw CheckpointError(.malformed("an object is neither group nor dataset")) }
    var cursor = datatype.cursor
    let stored = try HDF5Type(&cursor)
    // Keras' bfloat16: two bytes without a meaning, and an attribute that says which they have.
    if stored == .opaque(length: 2),
      try HDF5Attributes(of: object, in: file, walk)["dtype"] == ["bfloat16"]
    {
      type = .numbers(.bf16, isBigEndian: false)
    } else {
      type = stored
    }
    cursor = space.cursor
    shape = try hdf5Shape(&cursor)
    self.file = file
    var object = object
    object.dropAttributes()
    self.object = object
  }

  /// What it is, if it is no tensor.
  var aside: String? {
    if shape == nil { return "nothing (an empty dataset)" }
    switch type {
    case .numbers: return nil
    case .texts, .distantTexts: return shape == [] ? "a text" : "texts"
    case .opaque: return "bytes without a meaning"
    case .other(let words): return words
    }
  }

  /// The dataset as a tensor.
  func tensor(_ name: TensorName, _ walk: HDF5Walk) throws(CheckpointError) -> Tensor {
    guard case .numbers(let dtype, let isBigEndian) = type, let shape else {
      throw CheckpointError(.malformed("is no tensor"))
    }
    try Limits.check(name: name, rank: shape.count, offset: 0)
    guard checkedElementCount(of: shape)?.multipliedIfFits(by: dtype.bitWidth) != nil,
      let size = dtype.byteCount(shape: shape)
    else {
      throw CheckpointError(.overflow("the number of bytes of \(dtype) \(describe(shape: shape))"))
    }
    guard object.first(HDF5MessageType.externalFiles) == nil else {
      throw CheckpointError(.unsupported("its bytes are in another file, which is not read"))
    }
    var bytes = try stored(shape, dtype, size, walk)
    try checkByteCount(bytes.count, dtype: dtype, shape: shape)
    if isBigEndian, dtype.byteOrderUnit > 1 {
      bytes = SwappedBytes(bytes: bytes, unit: dtype.byteOrderUnit)
    }
    return Tensor(name: name, dtype: dtype, shape: shape, bytes: bytes)
  }

  /// The bytes as they are stored (section IV.A.2.i).
  private func stored(
    _ shape: [Int], _ dtype: DType, _ size: Int, _ walk: HDF5Walk
  ) throws(CheckpointError) -> any TensorBytes {
    guard let layout = object.first(HDF5MessageType.layout) else {
      throw CheckpointError(.malformed("a dataset has no place"))
    }
    var cursor = layout.cursor
    let version = try cursor.uint8()
    guard version == 3 || version == 4 else {
      throw CheckpointError(
        .unsupported("a dataset of version \(version) is not read"), offset: layout.offset)
    }
    switch try cursor.uint8() {
    case 0:
      let count = Int(try cursor.uint16())
      return ByteArray(try cursor.bytes(count))
    case 1:
      let (address, count) = (try cursor.uint64(), try cursor.int64("a size"))
      if address == HDF5File.undefined { return try missing(size) }
      let range = try file.range(try file.address(address, at: layout.offset), count)
      return FileBytes(file: file.source, start: range.lowerBound, count: range.count)
    case 2 where version == 3:
      let chunks = try HDF5Chunks(
        &cursor, shape: shape, dtype: dtype, object: object, in: file, walk)
      if let chunks { return chunks }
      return try missing(size)
    case 2:
      throw CheckpointError(
        .unsupported("chunks in the newest form (libver=\"latest\") are not read"),
        offset: layout.offset)
    case 3:
      throw CheckpointError(
        .unsupported("is made of other datasets (virtual), which is not read"),
        offset: layout.offset)
    default:
      throw CheckpointError(.malformed("a dataset of an unknown kind"), offset: layout.offset)
    }
  }

  /// What was never written is zeros.
  private func missing(_ size: Int) throws(CheckpointError) -> any TensorBytes {
    try HDF5Fill.check(object, bytes: size)
    return ZeroBytes(count: size)
  }
}

/// What stands for elements that were never written.
enum HDF5Fill {
  /// Bytes of a dataset that may be missing: they cost nothing in the file.
  private static let limit = 64 << 20

  /// - Parameter count: the bytes that are missing.
  /// - Throws: `CheckpointError` if they stand for something else than zero (section IV.A.2.f), or are
  ///   very many.
  static func check(_ object: HDF5Object, bytes count: Int) throws(CheckpointError) {
    guard count <= limit else {
      throw CheckpointError(
        .limitExceeded("the number of bytes that were never written", limit: limit, found: count))
    }
    guard let message = object.first(HDF5MessageType.fillValue) else { return }
    var cursor = message.cursor
    let version = try cursor.uint8()
    var isThere = true
    if version == 3 {
      isThere = try cursor.uint8() & 0x20 != 0
    } else {
      _ = try cursor.uint16()
      isThere = try cursor.uint8() == 1 || version == 1
    }
    guard isThere, cursor.left >= 4 else { return }
    let value = try cursor.bytes(Int(clamping: try cursor.uint32()))
    guard value.allSatisfy({ $0 == 0 }) else {
      throw CheckpointError(
        .unsupported("elements that were never written stand for a number, which is not read"),
        offset: message.offset)
    }
  }
}
