import SystemPackage
import TensorCore

extension ContainerFormat {
  /// npy, one array of numpy in a file.
  public static let npy = ContainerFormat(
    name: "npy", fileExtension: "npy", canShard: false, isBareArray: true,
    matches: { $0.begins(with: NpyHeader.magic) ? .exact : nil },
    read: { file throws(CheckpointError) in
      // The format has no name for its array, so the file's serves.
      let bytes = FileBytes(file: file, start: 0, count: file.size)
      return Contents(tensors: [try NpyArray(of: bytes).tensor(TensorName(file.stem))])
    },
    layout: { contents throws(CheckpointError) in try NpyLayout(contents) })
}

/// An array in npy format, its header checked: in a file, or a member of an archive.
struct NpyArray {
  private let bytes: any TensorBytes
  private let header: NpyHeader

  /// The type string.
  var descr: String { header.descr }

  /// Reads the header.
  init(of bytes: some TensorBytes) throws(CheckpointError) {
    self.bytes = bytes
    header = try NpyHeader(of: bytes)
  }

  /// The array as a tensor: in C order and little-endian, whatever is stored.
  ///
  /// - Parameters:
  ///   - name: its name.
  ///   - mark: what the elements really are, if the container says more than the type string can.
  func tensor(_ name: TensorName, mark: NpzMark? = nil) throws(CheckpointError) -> Tensor {
    do throws(CheckpointError) {
      try Limits.check(name: name, rank: header.shape.count, offset: 0)
      let data = ByteRange(of: bytes, start: header.end, count: bytes.count - header.end)
      if let mark {
        try checkShape(mark.dtype)
        return try mark.tensor(name, header: header, data: data)
      }
      let type = try NpyDType(header.descr)
      try checkShape(type.dtype)
      try checkExtent(of: data, dtype: type.dtype)
      return Tensor(
        name: name, dtype: type.dtype, shape: header.shape,
        bytes: Self.inOrder(data, header: header, type: type))
    } catch {
      var error = error
      error.tensor = error.tensor ?? name
      throw error
    }
  }

  /// Checks that numpy has arrays of the header's shape.
  private func checkShape(_ dtype: DType) throws(CheckpointError) {
    guard NpyHeader.canHave(header.shape, dtype) else {
      throw CheckpointError(
        .overflow("the number of bytes of \(dtype) \(describe(shape: header.shape))"),
        offset: header.end)
    }
  }

  /// Checks that the bytes behind the header are the array, all of it and nothing else.
  private func checkExtent(of data: ByteRange, dtype: DType) throws(CheckpointError) {
    guard let needed = dtype.byteCount(shape: header.shape), needed != data.count else {
      return try checkByteCount(data.count, dtype: dtype, shape: header.shape)
    }
    let problem: CheckpointError.Problem =
      needed > data.count
      ? .truncated(needed: needed, available: data.count)
      : .malformed("\(data.count - needed) bytes follow the array")
    throw CheckpointError(problem, offset: header.end)
  }

  private static func inOrder(
    _ data: ByteRange, header: NpyHeader, type: NpyDType
  ) -> any TensorBytes {
    var bytes: any TensorBytes = data
    // An array with at most one extent above 1 has only one order.
    if header.isFortranOrder, header.shape.count(where: { $0 > 1 }) > 1, data.count > 0 {
      bytes = checkedFirst(data).moved(
        Move(reading: Piece(fortranOrder: header.shape)), type.dtype,
        count: header.shape.reduce(1, *))
    }
    if type.isBigEndian { bytes = SwappedBytes(bytes: bytes, unit: type.dtype.byteOrderUnit) }
    return bytes
  }

  /// The bytes for somebody who reads in jumps, where a checksum is compared in passing only.
  private static func checkedFirst(_ data: ByteRange) -> any TensorBytes {
    guard let member = data.source as? StoredMember else { return data }
    return ByteRange(
      of: VerifiedMember(member: member), start: member.count - data.count, count: data.count)
  }
}
