import TensorCore

/// The bytes of a dataset that is stored in chunks of equal shape, found by a B-tree of version 1.
///
/// Read in bands: all chunks of the same rows of the first axis.
final class HDF5Chunks: TensorBytes {
  let count: Int
  private let file: HDF5File
  private let shape: [Int]
  /// The shape of a chunk.
  private let extents: [Int]
  private let width: Int
  private let filters: HDF5Filters
  /// Where each chunk is, by its place among all in C order, and which filters it lacks.
  private let chunks: [Int: (range: Range<Int>, mask: UInt32)]
  private let slab = Slab()

  /// The most bytes that a band, and a chunk, may have.
  private static let limit = 64 << 20

  /// Reads the tree; `nil` if nothing was ever written.
  init?(
    _ cursor: inout ByteCursor, shape: [Int], dtype: DType, object: HDF5Object, in file: HDF5File,
    _ walk: HDF5Walk
  ) throws(CheckpointError) {
    let offset = cursor.offset
    let rank = Int(try cursor.uint8())
    let root = try cursor.uint64()
    var extents: [Int] = []
    for _ in 0..<rank { extents.append(Int(try cursor.uint32())) }
    width = dtype.bitWidth / 8
    guard rank == shape.count + 1, rank > 1, extents.removeLast() == width,
      extents.allSatisfy({ $0 > 0 }), let size = dtype.byteCount(shape: shape),
      let chunkSize = dtype.byteCount(shape: extents)
    else { throw CheckpointError(.malformed("the chunks do not fit the dataset"), offset: offset) }
    let band = size / max(1, shape[0]) * min(extents[0], max(1, shape[0]))
    guard chunkSize <= Self.limit, band <= Self.limit else {
      throw CheckpointError(
        .limitExceeded(
          "the size of a row of chunks", limit: Self.limit, found: max(chunkSize, band)),
        offset: offset)
    }
    self.shape = shape
    self.extents = extents
    self.file = file
    count = size
    filters = try HDF5Filters(object.first(HDF5MessageType.filters), width: width)
    if root == HDF5File.undefined || size == 0 { return nil }
    let tree = try file.address(root, at: offset)
    let most = filters.mostStored(for: chunkSize)
    var found: [Int: (range: Range<Int>, mask: UInt32)] = [:]
    try walk.visitLeaves(of: tree, in: file, type: 1, keySize: 8 + 8 * rank) {
      key, address throws(CheckpointError) in
      var key = key
      let (stored, mask) = (Int(try key.uint32()), try key.uint32())
      var start: [Int] = []
      for _ in 0..<rank { start.append(try key.int64("a place")) }
      guard start.removeLast() == 0, stored <= most,
        let place = Self.place(of: start, extents, shape), found[place] == nil
      else { throw CheckpointError(.malformed("a chunk is broken"), offset: key.start) }
      found[place] = (try file.range(address, stored), mask)
    }
    chunks = found
    try Self.checkPlaces(found.values.map(\.range), at: offset)
    // What is not there is zeros.
    if found.count < Self.grid(extents, shape).reduce(1, *) {
      try HDF5Fill.check(
        object, bytes: size - min(size, found.count.multipliedIfFits(by: chunkSize) ?? size))
    }
  }

  /// No two chunks have the same bytes.
  private static func checkPlaces(_ ranges: [Range<Int>], at offset: Int) throws(CheckpointError) {
    let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
    for (range, next) in zip(sorted, sorted.dropFirst()) where range.upperBound > next.lowerBound {
      throw CheckpointError(.malformed("two chunks are in the same place"), offset: offset)
    }
  }

  /// How many chunks there are along each axis.
  private static func grid(_ extents: [Int], _ shape: [Int]) -> [Int] {
    zip(shape, extents).map { ($0 - 1) / $1 + 1 }
  }

  /// The place of a chunk among all, by its first element; `nil` if no chunk begins there.
  private static func place(of start: [Int], _ extents: [Int], _ shape: [Int]) -> Int? {
    var place = 0
    for (axis, chunks) in grid(extents, shape).enumerated() {
      guard start[axis] < shape[axis], start[axis].isMultiple(of: extents[axis]) else { return nil }
      place = place * chunks + start[axis] / extents[axis]
    }
    return place
  }

  var usesSlab: Bool { true }
  var workingMemory: Int { bandSize + 2 * extents.reduce(width, *) }

  private var rowSize: Int { count / shape[0] }
  private var bandSize: Int { rowSize * min(extents[0], shape[0]) }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    guard buffer.byteCount > 0 else { return }
    do throws(CheckpointError) {
      try slab.read(at: offset, into: &buffer, size: bandSize) { position throws(CheckpointError) in
        let first = position / bandSize * extents[0]
        return (first * rowSize, try band(from: first))
      }
    } catch {
      throw error.inFile(file.source.name)
    }
  }

  /// The rows from `first` on that share chunks.
  private func band(from first: Int) throws(CheckpointError) -> [UInt8] {
    let rows = min(extents[0], shape[0] - first)
    var bytes = [UInt8](repeating: 0, count: rows * rowSize)
    let grid = Self.grid(extents, shape)
    let inner = grid.dropFirst().reduce(1, *)
    for number in 0..<inner {
      guard let chunk = chunks[first / extents[0] * inner + number] else { continue }
      let decoded = try filters.decode(
        try file.source.read(chunk.range), mask: chunk.mask,
        size: extents.reduce(width, *))
      var rest = number
      var start = [0]
      for axis in (1..<max(1, shape.count)).reversed() {
        start.insert(rest % grid[axis] * extents[axis], at: 1)
        rest /= grid[axis]
      }
      copy(decoded, from: start, rows: rows, to: &bytes)
    }
    return bytes
  }

  /// Copies what of a chunk is in the dataset into its band, line by line of the last axis.
  private func copy(_ chunk: [UInt8], from start: [Int], rows: Int, to band: inout [UInt8]) {
    let rank = shape.count
    var sizes = (0..<rank).map { min(extents[$0], shape[$0] - start[$0]) }
    sizes[0] = rows
    let line = sizes[rank - 1] * width
    let (inChunk, inBand) = (rowMajorStrides(extents), rowMajorStrides(shape))
    let lines = sizes.dropLast().reduce(1, *)
    for number in 0..<lines {
      var rest = number
      var (from, to) = (0, start[rank - 1])
      for axis in (0..<rank - 1).reversed() {
        let position = rest % sizes[axis]
        rest /= sizes[axis]
        from += position * inChunk[axis]
        to += (start[axis] + position) * inBand[axis]
      }
      band.replaceSubrange(
        to * width..<to * width + line, with: chunk[from * width..<from * width + line])
    }
  }
}
