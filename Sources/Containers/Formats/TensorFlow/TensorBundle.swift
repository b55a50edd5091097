import SystemPackage
import TensorCore

/// A TensorFlow checkpoint whose index is being read.
struct TensorBundle {
  private let file: any ByteSource
  private var header: BundleHeader?
  private var entries: [(name: TensorName, entry: BundleEntry)] = []
  /// Parts of partitioned tensors, by their keys.
  private var parts: [[UInt8]: BundleEntry] = [:]
  /// The files of bytes that are needed, by their numbers.
  private var shards: [Int: any ByteSource] = [:]

  init(_ file: any ByteSource) { self.file = file }

  /// Reads the index, and finds the bytes.
  mutating func contents() throws(CheckpointError) -> Contents {
    var table = SortedTable(file)
    try table.visit { entry throws(CheckpointError) in try add(entry) }
    guard header != nil else {
      throw CheckpointError(.malformed("the index has no header (an entry without a name)"))
    }
    try checkPlaces()
    var contents = Contents(tensors: [], keepsOrder: false)
    for (name, entry) in entries {
      do throws(CheckpointError) {
        if let what = entry.aside {
          contents.addOther(name.text, what)
        } else {
          contents.tensors.append(try tensor(name, entry))
        }
      } catch {
        var error = error
        error.tensor = error.tensor ?? name
        throw error
      }
    }
    contents.files = shards.sorted { $0.key < $1.key }.compactMap { ($0.value as? InputFile)?.path }
    return contents
  }

  private mutating func add(_ entry: SortedTable.Entry) throws(CheckpointError) {
    do throws(CheckpointError) {
      guard !entry.key.isEmpty else {
        header = try BundleHeader(entry.value)
        return
      }
      guard entries.count + parts.count < Limits.tensors else {
        throw CheckpointError(
          .limitExceeded(
            "the number of tensors", limit: Limits.tensors, found: entries.count + parts.count + 1))
      }
      if entry.key[0] == 0 {
        parts[entry.key] = try BundleEntry(entry.value)
        return
      }
      guard let name = TensorName(validating: entry.key) else {
        throw CheckpointError(.malformed("the name of a tensor is not UTF-8"))
      }
      do throws(CheckpointError) {
        let found = try BundleEntry(entry.value)
        try Limits.check(name: name, rank: found.shape.count, offset: entry.offset)
        entries.append((name, found))
      } catch {
        var error = error
        error.tensor = name
        throw error
      }
    } catch {
      var error = error
      error.offset = entry.offset
      throw error
    }
  }

  /// No two tensors have the same bytes.
  private func checkPlaces() throws(CheckpointError) {
    let all = entries.map { ($0.name, $0.entry) } + parts.values.map { (TensorName("a part"), $0) }
    let placed = all.filter { $0.1.slices.isEmpty && $0.1.size > 0 }
      .sorted { ($0.1.shard, $0.1.offset) < ($1.1.shard, $1.1.offset) }
    for ((_, before), (name, entry)) in zip(placed, placed.dropFirst())
    where before.shard == entry.shard && before.offset + before.size > entry.offset {
      throw CheckpointError(
        .malformed("begins at \(entry.offset) and overlaps the bytes before"), tensor: name)
    }
  }

  private mutating func tensor(
    _ name: TensorName, _ entry: BundleEntry
  ) throws(CheckpointError) -> Tensor {
    let dtype = try entry.dtype
    var bytes: any TensorBytes
    if entry.slices.isEmpty {
      bytes = try data(of: entry, dtype)
    } else {
      bytes = try joined(Array(name.text.utf8), entry, dtype)
    }
    try checkByteCount(bytes.count, dtype: dtype, shape: entry.shape)
    if header?.isBigEndian == true, dtype.byteOrderUnit > 1 {
      bytes = SwappedBytes(bytes: bytes, unit: dtype.byteOrderUnit)
    }
    return Tensor(name: name, dtype: dtype, shape: entry.shape, bytes: bytes)
  }

  /// The bytes of a tensor that stands in one piece.
  private mutating func data(
    of entry: BundleEntry, _ dtype: DType
  ) throws(CheckpointError) -> any TensorBytes {
    try checkByteCount(entry.size, dtype: dtype, shape: entry.shape)
    let source = try shard(entry.shard)
    guard entry.size <= source.size, entry.offset <= source.size - entry.size else {
      throw CheckpointError(
        .truncated(needed: entry.size, available: max(0, source.size - entry.offset)),
        file: source.name, offset: entry.offset)
    }
    let data = FileBytes(file: source, start: entry.offset, count: entry.size)
    return ChecksummedBytes(data, masked: entry.checksum)
  }

  /// The parts of a partitioned tensor, which must be bands of whole rows.
  private mutating func joined(
    _ name: [UInt8], _ entry: BundleEntry, _ dtype: DType
  ) throws(CheckpointError) -> any TensorBytes {
    var end = 0
    var bands: [any TensorBytes] = []
    func start(_ slice: [Range<Int>?]) -> Int { (slice.first ?? nil)?.lowerBound ?? 0 }
    let slices = entry.slices.sorted { start($0) < start($1) }
    for slice in slices {
      guard slice.count == entry.shape.count, let rows = entry.shape.first,
        zip(slice, entry.shape).dropFirst().allSatisfy({ $0 == nil || $0 == 0..<$1 })
      else {
        throw CheckpointError(.unsupported("is partitioned along another axis than the first"))
      }
      let band = (slice.first ?? nil) ?? 0..<rows
      guard band.lowerBound == end, let part = parts[sliceKey(name, slice)],
        part.type == entry.type, part.slices.isEmpty,
        part.shape == [band.count] + entry.shape.dropFirst()
      else { throw CheckpointError(.malformed("its parts are not there, or are no whole")) }
      end = band.upperBound
      bands.append(try data(of: part, dtype))
    }
    guard end == entry.shape.first, let bytes = JoinedBytes(bands) else {
      throw CheckpointError(.malformed("its parts are not there, or are no whole"))
    }
    return bytes
  }

  /// The file of bytes of that number.
  private mutating func shard(_ number: Int) throws(CheckpointError) -> any ByteSource {
    if let open = shards[number] { return open }
    let count = header?.shardCount ?? 0
    guard number < count else {
      throw CheckpointError(.malformed("is in shard \(number) of \(count)"))
    }
    guard
      let name = TensorFlowNames.data(ofIndex: file.fileName, shard: number, of: count)
    else {
      throw CheckpointError(
        .malformed("is not called NAME.index, so the files with the bytes cannot be found"))
    }
    let source = try file.neighbour(name)
    shards[number] = source
    return source
  }
}
