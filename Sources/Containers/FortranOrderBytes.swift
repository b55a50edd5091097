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
  /// The axis that a block has a range of.
  private let axis: Int
  /// How many indices of `axis` a block has, except the last one.
  private let extent: Int
  /// Elements under one index of `axis`.
  private let inner: Int
  /// The block that was gathered last.
  private let block = Slab()

  /// Bytes that are read at once from the source when only some of them are wanted.
  private static let windowSize = 1 << 20

  /// Views `source`, which holds `shape` elements of `width` bytes; no extent is zero.
  convenience init(
    _ source: any TensorBytes, shape: [Int], width: Int, member: StoredMember?
  ) {
    self.init(
      source, shape: shape, width: width, member: member, blockSize: Slab.size)
  }

  /// The same, with blocks of another size.
  package convenience init(
    _ source: any TensorBytes, shape: [Int], width: Int, blockSize: Int
  ) {
    self.init(source, shape: shape, width: width, member: nil, blockSize: blockSize)
  }

  private init(
    _ source: any TensorBytes, shape: [Int], width: Int, member: StoredMember?, blockSize: Int
  ) {
    self.source = source
    self.member = member
    self.shape = shape
    self.width = width
    count = source.count
    var axis = 0
    var inner = shape.dropFirst().reduce(1, *)
    while axis < shape.count - 1, inner * width > blockSize {
      axis += 1
      inner /= shape[axis]
    }
    self.axis = axis
    self.inner = inner
    extent = max(1, min(shape[axis], blockSize / (inner * width)))
  }

  package func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    try block.read(at: offset, into: &buffer) { position throws(CheckpointError) in
      try gather(around: position)
    }
  }

  package var workingMemory: Int {
    min(count, Slab.size) + Self.windowSize + source.workingMemory
  }

  /// The block that has byte `position` in it.
  private func gather(
    around position: Int
  ) throws(CheckpointError) -> (start: Int, bytes: [UInt8]) {
    try member?.verify()
    let row = position / width / inner
    let index = row % shape[axis]
    let first = index - index % extent
    let length = min(extent, shape[axis] - first)
    let firstRow = row - index + first
    var bytes = [UInt8](repeating: 0, count: length * inner * width)
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
    var column = 0
    var indices = [Int](repeating: 0, count: shape.count - axis - 1)
    let rowStride = stride * shape[axis]
    for number in 0..<inner {
      try copyRun(
        from: start + number * rowStride, stride: stride, count: length, to: &bytes, at: column)
      column = advance(&indices, column: column)
    }
    return (firstRow * inner * width, bytes)
  }

  /// Moves to the next element in the source's order, and returns its place in the target's.
  private func advance(_ indices: inout [Int], column: Int) -> Int {
    var column = column
    for (number, extent) in shape[(axis + 1)...].enumerated() {
      let stride = shape[(axis + 2 + number)...].reduce(1, *)
      indices[number] += 1
      column += stride
      if indices[number] < extent { break }
      indices[number] = 0
      column -= extent * stride
    }
    return column
  }

  /// Copies `count` elements, `stride` apart in the source, to every `inner`-th place of the block.
  private func copyRun(
    from start: Int, stride: Int, count: Int, to target: inout [UInt8], at column: Int
  ) throws(CheckpointError) {
    let perWindow = max(1, (Self.windowSize / width - 1) / stride + 1)
    var done = 0
    while done < count {
      let some = min(perWindow, count - done)
      let first = (start + done * stride) * width
      let window = try source.read(first..<first + ((some - 1) * stride + 1) * width)
      for number in 0..<some {
        let from = number * stride * width
        let to = ((done + number) * inner + column) * width
        for byte in 0..<width { target[to + byte] = window[from + byte] }
      }
      done += some
    }
  }
}
