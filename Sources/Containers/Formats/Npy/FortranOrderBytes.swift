package import TensorCore

/// An array whose first index varies fastest, read as if the last one did.
///
/// Elements are gathered in blocks, so that memory stays bounded and a source that can only be read
/// forwards is read once a block. A block is a range of one axis, under fixed indices of the axes
/// before it and with all indices of the axes after it: for a matrix, some of its rows.
package final class FortranOrderBytes: TensorBytes {
  package let count: Int

  private let source: any TensorBytes
  /// What the source is part of, if that has a checksum that reading in jumps would miss.
  private let member: StoredMember?
  private let shape: [Int]
  private let width: Int
  /// Bytes of a block, if not those of any slab.
  private let blockSize: Int?
  /// The block that was gathered last.
  private let block = Slab()

  /// Views `source`, which holds `shape` elements of `width` bytes; no extent is zero.
  convenience init(
    _ source: any TensorBytes, shape: [Int], width: Int, member: StoredMember?
  ) {
    self.init(source, shape: shape, width: width, member: member, blockSize: nil)
  }

  /// The same, with blocks of another size.
  package convenience init(
    _ source: any TensorBytes, shape: [Int], width: Int, blockSize: Int
  ) {
    self.init(source, shape: shape, width: width, member: nil, blockSize: blockSize)
  }

  private init(
    _ source: any TensorBytes, shape: [Int], width: Int, member: StoredMember?, blockSize: Int?
  ) {
    self.source = source
    self.member = member
    // Axes of one index change nothing.
    let axes = shape.filter { $0 > 1 }
    self.shape = axes.isEmpty ? [1] : axes
    self.width = width
    count = source.count
    self.blockSize = blockSize
  }

  /// How the array is cut into blocks.
  private struct Cut {
    /// The axis that a block has a range of.
    var axis = 0
    /// How many indices of `axis` a block has, except the last one.
    let extent: Int
    /// Elements under one index of `axis`.
    var inner: Int

    init(_ shape: [Int], width: Int, blockSize: Int) {
      inner = shape.dropFirst().reduce(1, *)
      while axis < shape.count - 1, inner * width > blockSize {
        axis += 1
        inner /= shape[axis]
      }
      extent = max(1, min(shape[axis], blockSize / (inner * width)))
    }
  }

  package func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let size = min(count, blockSize ?? Slab.size)
    try block.read(at: offset, into: &buffer, size: size) { position throws(CheckpointError) in
      try gather(around: position)
    }
  }

  package var usesSlab: Bool { true }

  package var workingMemory: Int {
    min(count, Slab.size) + ElementWindow.size + source.workingMemory
  }

  /// The block that has byte `position` in it.
  private func gather(
    around position: Int
  ) throws(CheckpointError) -> (start: Int, bytes: [UInt8]) {
    try member?.verify()
    let cut = Cut(shape, width: width, blockSize: blockSize ?? Slab.size)
    let (axis, inner) = (cut.axis, cut.inner)
    let row = position / width / inner
    let index = row % shape[axis]
    let first = index - index % cut.extent
    let length = min(cut.extent, shape[axis] - first)
    let firstRow = row - index + first
    // Where the block's first element is in the source, whose first axis has stride 1.
    var start = 0
    var prefix = firstRow / shape[axis]
    let stride = shape[..<axis].reduce(1, *)
    var axisStride = stride
    for outer in shape[..<axis].reversed() {
      axisStride /= outer
      start += prefix % outer * axisStride
      prefix /= outer
    }
    start += first * stride
    var block = Block(width: width, inner: inner, length: length)
    if axis == 0 {
      // Runs of neighbours, one for each index of all other axes.
      try gather(&block, from: start)
    } else {
      var column = 0
      var indices = [Int](repeating: 0, count: shape.count - axis - 1)
      for number in 0..<inner {
        try block.copyRun(
          source, from: start + number * stride * shape[axis], stride: stride, at: column)
        column = advance(&indices, axis: axis, column: column)
      }
    }
    return (firstRow * inner * width, block.bytes)
  }

  /// Fills a block of some indices of the first axis.
  private func gather(_ block: inout Block, from start: Int) throws(CheckpointError) {
    // The runs under all indices of the second axis stand side by side in the source.
    let count = shape.count > 1 ? shape[1] : 1
    let step = shape.dropFirst(2).reduce(1, *)
    var column = 0
    var indices = [Int](repeating: 0, count: max(0, shape.count - 2))
    for number in 0..<step {
      try block.copyRuns(
        source, from: start + number * count * shape[0], distance: shape[0],
        to: (count, column, step))
      column = advance(&indices, axis: 1, column: column)
    }
  }

  /// Moves to the next element in the source's order, and returns its place in the target's.
  private func advance(_ indices: inout [Int], axis: Int, column: Int) -> Int {
    var column = column
    for (number, extent) in shape.dropFirst(axis + 1).enumerated() {
      let stride = shape[(axis + 2 + number)...].reduce(1, *)
      indices[number] += 1
      column += stride
      if indices[number] < extent { break }
      indices[number] = 0
      column -= extent * stride
    }
    return column
  }
}

/// Some rows of an array in C order, while they are gathered.
private struct Block {
  let width: Int
  /// Elements of a row.
  let inner: Int
  /// Rows.
  let length: Int
  private(set) var bytes: [UInt8]
  private var window: ElementWindow

  init(width: Int, inner: Int, length: Int) {
    self.width = width
    self.inner = inner
    self.length = length
    bytes = [UInt8](repeating: 0, count: length * inner * width)
    window = ElementWindow(width: width)
  }

  /// Copies runs of `length` neighbours, `distance` from one to the next in the source, to columns.
  mutating func copyRuns(
    _ source: any TensorBytes, from start: Int, distance: Int,
    to columns: (count: Int, first: Int, step: Int)
  ) throws(CheckpointError) {
    let room = window.room
    // What can only be read forwards is read run by run.
    let tile =
      source.isReadForwards
      ? max(1, min(Scattering.runsPerTile, room / length)) : Scattering.runsPerTile
    let part = min(length, room / tile)
    for first in stride(from: 0, to: columns.count, by: tile) {
      let runs = min(tile, columns.count - first)
      for row in stride(from: 0, to: length, by: part) {
        let count = min(part, length - row)
        for number in 0..<runs {
          let from = start + (first + number) * distance + row
          try window.fill(from: source, from, count: count, at: number * count)
        }
        window.scatter(
          Scattering(run: (count, inner), group: (runs, count, columns.step)), to: &bytes,
          at: row * inner + columns.first + first * columns.step)
      }
    }
  }

  /// Copies `length` elements, `stride` apart in the source, to a column.
  mutating func copyRun(
    _ source: any TensorBytes, from start: Int, stride: Int, at column: Int
  ) throws(CheckpointError) {
    let room = window.room
    let perWindow = max(1, (room - 1) / stride + 1)
    for first in Swift.stride(from: 0, to: length, by: perWindow) {
      let count = min(perWindow, length - first)
      try window.fill(
        from: source, start + first * stride, count: (count - 1) * stride + 1)
      window.scatter(
        Scattering(run: (1, 0), group: (count, stride, inner)), to: &bytes,
        at: first * inner + column)
    }
  }
}
