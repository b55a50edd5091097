import TensorCore

/// The index of a TFZ file: what there is, and how to get it. docs/tfz.md, section 5.
struct TFZIndex: Sendable {
  /// Bytes that are stored: of a tensor, a file, or the head of a safetensors file.
  struct Stream {
    /// How many bytes it gives.
    let length: Int
    let unit: TFZUnit
    /// The SHA-256 of these bytes.
    let digest: [UInt8]?
    /// Where the record of its first chunk is in the index.
    let records: Int
    /// The number of its first chunk, counted over all streams.
    let firstChunk: Int
  }

  /// A tensor.
  struct Entry {
    let name: TensorName
    let dtype: DType
    let shape: [Int]
    let stream: Int
  }

  /// A file, or the head of one that was.
  struct File {
    let name: [UInt8]
    let stream: Int
    /// How many tensors of the table, in order, were in it.
    var tensorCount = 0
  }

  let flags: UInt32
  let chunkUnits: Int
  private(set) var streams: [Stream] = []
  private(set) var tensors: [Entry] = []
  private(set) var files: [File] = []
  private(set) var origins: [File] = []
  private(set) var shardIndex: File?
  private(set) var metadata: Metadata?
  /// Where each chunk begins in the file, and where the last one ends.
  private(set) var chunkStarts: [Int] = [TFZ.headerSize]
  /// The index itself.
  private let bytes: [UInt8]

  /// Reads an index that begins at byte `start` of the file.
  ///
  /// - Throws: `CheckpointError` for the first rule of the specification that it breaks.
  init(_ bytes: [UInt8], at start: Int) throws(CheckpointError) {
    self.bytes = bytes
    var cursor = ByteCursor(bytes, at: start)
    flags = try cursor.uint32()
    guard flags & ~TFZ.Flags.known == 0 else {
      throw CheckpointError(
        .unsupported("the index has flags that are not known"), offset: start)
    }
    chunkUnits = Int(try cursor.uint32())
    guard TFZ.Limits.chunkUnits.contains(chunkUnits), chunkUnits.nonzeroBitCount == 1 else {
      throw CheckpointError(
        .malformed("the index: a chunk cannot have \(chunkUnits) units"), offset: start + 4)
    }
    let limits = TFZ.Limits.self
    let streamLimit = limits.tensors + limits.files + limits.origins + 1
    let streamCount = try cursor.count("streams", limit: streamLimit, size: 12)
    let tensorCount = try cursor.count("tensors", limit: limits.tensors, size: 16)
    let fileCount = try cursor.count("files", limit: limits.files, size: 8)
    let originCount = try cursor.count("original files", limit: limits.origins, size: 12)
    let pairCount = try cursor.optionalCount("pairs of metadata", limit: limits.metadata, size: 8)
    for _ in 0..<streamCount { try readStream(&cursor) }
    guard let end = chunkStarts.last, end == start else {
      throw CheckpointError(
        .malformed("the chunks end at byte \(chunkStarts.last ?? 0), where no index is"),
        offset: start)
    }
    for _ in 0..<tensorCount { try readTensor(&cursor) }
    for _ in 0..<fileCount { files.append(try readFile(&cursor, mayBeInFolder: true)) }
    try readOrigins(&cursor, originCount)
    if let pairCount { try readMetadata(&cursor, pairCount) }
    guard cursor.isAtEnd else { throw cursor.fault("\(cursor.left) bytes follow its end") }
    try checkUse(at: start)
  }

  /// The record of a chunk of `stream`.
  func record(_ chunk: Int, of stream: Stream) -> TFZRecord {
    let start = stream.records + chunk * TFZRecord.size(width: stream.unit.width)
    let planes = (0..<stream.unit.width).map { plane in
      UInt32(
        truncatingIfNeeded: littleEndian(bytes[start + 8 + 4 * plane..<start + 12 + 4 * plane]))
    }
    return TFZRecord(hash: littleEndian(bytes[start..<start + 8]), planes: planes)
  }

  /// The number of chunks that `length` bytes of such units have.
  static func chunkCount(_ length: Int, _ unit: TFZUnit, chunkUnits: Int) -> Int {
    let size = chunkUnits * unit.width
    return length / size + (length.isMultiple(of: size) ? 0 : 1)
  }
}

// MARK: Reading

extension TFZIndex {
  private mutating func readStream(_ cursor: inout ByteCursor) throws(CheckpointError) {
    let number = streams.count
    let length = try cursor.int64("the length of a stream")
    let unit = TFZUnit(width: Int(try cursor.uint8()), exponentBits: Int(try cursor.uint8()))
    guard unit.isKnown else {
      throw CheckpointError(
        .unsupported(
          "stream \(number) has units of \(unit.width) bytes with \(unit.exponentBits) bits of"
            + " exponent, which are not known"), offset: cursor.offset - 2)
    }
    guard try cursor.uint16() == 0 else {
      throw cursor.fault("stream \(number) has bits that must be zero", back: 2)
    }
    guard length.isMultiple(of: unit.width) else {
      throw cursor.fault("stream \(number) does not have whole units", back: 12)
    }
    let digest =
      flags & TFZ.Flags.digests != 0 ? Array(bytes[try cursor.skip(32)]) : nil
    let chunks = Self.chunkCount(length, unit, chunkUnits: chunkUnits)
    let recordSize = TFZRecord.size(width: unit.width)
    guard chunks <= cursor.left / recordSize else {
      throw CheckpointError(
        .truncated(needed: chunks.multipliedIfFits(by: recordSize) ?? .max, available: cursor.left),
        offset: cursor.offset)
    }
    streams.append(
      Stream(
        length: length, unit: unit, digest: digest, records: cursor.position,
        firstChunk: chunkStarts.count - 1))
    for chunk in 0..<chunks {
      let units = min(chunkUnits, length / unit.width - chunk * chunkUnits)
      try readRecord(&cursor, units: units, width: unit.width, "chunk \(chunk) of stream \(number)")
    }
  }

  /// Checks a record, and finds where its chunk ends.
  private mutating func readRecord(
    _ cursor: inout ByteCursor, units: Int, width: Int, _ name: @autoclosure () -> String
  ) throws(CheckpointError) {
    let offset = cursor.offset
    _ = try cursor.skip(8)
    var end = chunkStarts[chunkStarts.count - 1]
    for _ in 0..<width {
      guard let size = TFZRecord.checkedLength(try cursor.uint32(), units: units) else {
        throw CheckpointError(
          .malformed("the index: \(name()) has a plane that cannot be so"), offset: offset)
      }
      end += size
    }
    guard end <= cursor.start else {
      throw CheckpointError(
        .malformed("the index: \(name()) ends at byte \(end), in the index itself"),
        offset: offset)
    }
    chunkStarts.append(end)
  }

  private func readStreamNumber(_ cursor: inout ByteCursor) throws(CheckpointError) -> Int {
    let number = Int(try cursor.uint32())
    guard number < streams.count else {
      throw cursor.fault("there is no stream \(number)", back: 4)
    }
    return number
  }

  private mutating func readTensor(_ cursor: inout ByteCursor) throws(CheckpointError) {
    let offset = cursor.offset
    let name = TensorName(try cursor.text("the name of a tensor"))
    do throws(CheckpointError) {
      let dtypeName = try cursor.text("a dtype")
      guard let dtype = DType(rawValue: dtypeName), !dtype.isBlock else {
        throw CheckpointError(.unsupported("dtype \"\(dtypeName)\" is not known"))
      }
      let rank = Int(try cursor.uint32())
      try Limits.check(name: name, rank: rank, offset: offset)
      var shape: [Int] = []
      for _ in 0..<rank { shape.append(try cursor.int64("an extent")) }
      let number = try readStreamNumber(&cursor)
      guard streams[number].unit == dtype.tfzUnit else {
        throw CheckpointError(.malformed("stream \(number) has the units of another dtype"))
      }
      try checkByteCount(streams[number].length, dtype: dtype, shape: shape)
      tensors.append(Entry(name: name, dtype: dtype, shape: shape, stream: number))
    } catch {
      var error = error
      error.tensor = name
      error.offset = offset
      throw error
    }
  }

  private func readFile(
    _ cursor: inout ByteCursor, mayBeInFolder: Bool = false
  ) throws(CheckpointError) -> File {
    let offset = cursor.offset
    let name = try cursor.string()
    let isPath = mayBeInFolder && flags & TFZ.Flags.paths != 0
    guard isPath ? TFZ.isPath(name) : isPlainFileName(name) else {
      throw CheckpointError(
        .malformed("the index: no name for a file of a folder"), offset: offset)
    }
    let number = try readStreamNumber(&cursor)
    guard streams[number].unit == .byte else {
      throw cursor.fault("stream \(number) is no stream of bytes", back: 4)
    }
    return File(name: name, stream: number)
  }

  private mutating func readOrigins(
    _ cursor: inout ByteCursor, _ count: Int
  ) throws(CheckpointError) {
    guard count > 0 else { return }
    var total = 0
    for _ in 0..<count {
      var origin = try readFile(&cursor)
      origin.tensorCount = Int(try cursor.uint32())
      total += origin.tensorCount
      origins.append(origin)
    }
    guard total == tensors.count else {
      throw cursor.fault("the original files have \(total) tensors, not \(tensors.count)")
    }
    let hasShardIndex = try cursor.uint32()
    guard hasShardIndex <= 1, hasShardIndex == 1 || count == 1 else {
      throw cursor.fault("several original files need one shard index", back: 4)
    }
    if hasShardIndex == 1 { shardIndex = try readFile(&cursor) }
  }

  private mutating func readMetadata(
    _ cursor: inout ByteCursor, _ count: Int
  ) throws(CheckpointError) {
    var entries: [Metadata.Entry] = []
    var keys: Set<TensorName> = []
    for _ in 0..<count {
      let offset = cursor.offset
      let key = try cursor.text("a key of the metadata")
      guard keys.insert(TensorName(key)).inserted else {
        throw CheckpointError(
          .malformed("the index: the metadata has the key \"\(key)\" twice"), offset: offset)
      }
      entries.append(Metadata.Entry(key, try cursor.text("a value of the metadata")))
    }
    metadata = Metadata(entries)
  }

  /// No file inside has a name that the weights or their index have in a folder.
  func checkNames(at start: Int) throws(CheckpointError) {
    if let file = files.first(where: { TFZ.isReserved($0.name) }) {
      throw CheckpointError(
        .malformed(
          "the index: the name \"\(String(decoding: file.name, as: UTF8.self))\" is reserved"),
        offset: start)
    }
  }

  /// Every stream is used, no two files have the same name, and all are as small as files may be.
  private func checkUse(at start: Int) throws(CheckpointError) {
    func fault(_ problem: CheckpointError.Problem) -> CheckpointError {
      CheckpointError(problem, offset: start)
    }
    let former = origins + [shardIndex].compactMap(\.self)
    var isUsed = [Bool](repeating: false, count: streams.count)
    for entry in tensors { isUsed[entry.stream] = true }
    for file in files + former { isUsed[file.stream] = true }
    if let number = isUsed.firstIndex(of: false) {
      throw fault(.malformed("the index: stream \(number) belongs to nothing"))
    }
    var names = FileNames()
    for file in files + former where names.obstacle(to: file.name) != nil {
      throw fault(.malformed("the index: two files have the same name"))
    }
    let hasPaths = files.contains { !isPlainFileName($0.name) }
    guard hasPaths == (flags & TFZ.Flags.paths != 0) else {
      throw fault(.malformed("the index: no name of a file is a path, but flags say so"))
    }
    let largest = [(files, TFZ.Limits.file), (former, Limits.safetensorsHeader + 8)]
    for (files, limit) in largest {
      for file in files where streams[file.stream].length > limit {
        let name = String(decoding: file.name, as: UTF8.self)
        throw fault(
          .limitExceeded(
            "the size of \"\(name)\" inside", limit: limit, found: streams[file.stream].length))
      }
    }
  }
}
