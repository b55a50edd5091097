import TensorCore

/// A tensor that lies in chunks, each with a box of its elements.
struct DistributedTensor {
  /// A box of elements, in C order.
  struct Chunk {
    /// Where it begins along each axis.
    let offsets: [Int]
    let sizes: [Int]
    let place: DistributedMetadata.Stretch

    fileprivate func range(_ axis: Int) -> Range<Int> {
      offsets[axis]..<offsets[axis] + sizes[axis]
    }
  }

  /// What its elements are.
  let element: TorchElement
  /// The extents as torch counts them.
  let shape: [Int]
  /// They fill it, and have no element twice.
  let chunks: [Chunk]

  /// Describes a tensor, and checks that its chunks are a partition of it.
  init(element: TorchElement, shape: [Int], chunks: [Chunk]) throws(CheckpointError) {
    self.element = element
    self.shape = shape
    self.chunks = chunks
    let count = try element.checkedCount(of: shape)
    var covered = 0
    for chunk in chunks {
      covered = covered.addedIfFits(try elementCount(of: chunk)) ?? .max
    }
    guard covered >= count else {
      throw CheckpointError(
        .malformed("its chunks have \(covered) of \(count) elements: some are missing"))
    }
    var steps = 0
    guard covered == count, try areDisjoint(Array(chunks.indices), axis: 0, &steps) else {
      throw CheckpointError(.malformed("its chunks have elements twice"))
    }
  }

  /// How many elements a chunk has, which must be in the tensor, and in its stretch.
  private func elementCount(of chunk: Chunk) throws(CheckpointError) -> Int {
    let isInside =
      chunk.offsets.count == shape.count && chunk.sizes.count == shape.count
      && shape.indices.allSatisfy { axis in
        let (start, size) = (chunk.offsets[axis], chunk.sizes[axis])
        return start >= 0 && size > 0 && start <= shape[axis] && size <= shape[axis] - start
      }
    guard isInside, let count = checkedElementCount(of: chunk.sizes) else {
      throw CheckpointError(
        .malformed(
          "the chunk at \(describe(shape: chunk.offsets)) of \(describe(shape: chunk.sizes)) is not in"
            + " \(describe(shape: shape))"))
    }
    guard !chunk.place.isTransformed else {
      throw CheckpointError(
        .unsupported("its chunks were compressed by an extension of torch's, which is not read"))
    }
    guard count * element.width <= chunk.place.range.count else {
      throw CheckpointError(
        .malformed(
          "the chunk at \(describe(shape: chunk.offsets)) has \(chunk.place.range.count) bytes, and its"
            + " elements take \(count * element.width)"))
    }
    return count
  }

  /// Whether no two chunks have an element in common: swept along an axis, those that lie over each other are told apart
  /// by the next axes.
  private func areDisjoint(
    _ numbers: [Int], axis: Int, _ steps: inout Int
  ) throws(CheckpointError) -> Bool {
    if numbers.count < 2 { return true }
    if axis == shape.count { return false }
    let sorted = numbers.sorted { chunks[$0].offsets[axis] < chunks[$1].offsets[axis] }
    var open: [Int] = []
    var next = 0
    while next < sorted.count {
      let start = chunks[sorted[next]].offsets[axis]
      open.removeAll { chunks[$0].range(axis).upperBound <= start }
      while next < sorted.count, chunks[sorted[next]].offsets[axis] == start {
        open.append(sorted[next])
        next += 1
      }
      steps += open.count
      guard steps <= Limits.pickleSteps else {
        throw CheckpointError(
          .limitExceeded("the work of placing chunks", limit: Limits.pickleSteps, found: steps))
      }
      guard try areDisjoint(open, axis: axis + 1, &steps) else { return false }
    }
    return true
  }

  /// The shape that we give it.
  var ownShape: [Int] { element.ownShape(shape) }

  /// All elements in C order, put together while they are read.
  ///
  /// - Parameters:
  ///   - sources: the files that chunks are in.
  ///   - name: what messages call it.
  func bytes(
    _ sources: [any ByteSource], _ name: TensorName
  ) throws(CheckpointError) -> any TensorBytes {
    let strides = rowMajorStrides(shape)
    let placed = chunks.map { chunk in
      (start: zip(chunk.offsets, strides).reduce(0) { $0 + $1.0 * $1.1 }, chunk: chunk)
    }.sorted { $0.start < $1.start }
    let parts = placed.map { part in
      DistributedChunk(
        in: sources[part.chunk.place.file], part.chunk.place.range, of: name, element,
        shape: part.chunk.sizes)
    }
    if parts.count == 1 { return parts[0] }
    if placed.allSatisfy({ isRun($0.chunk) }) {
      guard let joined = JoinedBytes(parts) else {
        throw CheckpointError(.overflow("the number of its bytes"))
      }
      return joined
    }
    var moved: [GatheredBytes.Part] = []
    for (part, placed) in zip(parts, placed) {
      let sizes = placed.chunk.sizes
      let own = Piece(shape: sizes, strides: rowMajorStrides(sizes))
      let whole = Piece(offset: placed.start, shape: sizes, strides: strides)
      guard let move = Move(from: own, to: whole) else {
        throw CheckpointError(.malformed("its chunks do not fit each other"))
      }
      moved.append(GatheredBytes.Part(source: part, move: move))
    }
    return GatheredBytes(
      width: element.width, elementCount: shape.reduce(1, &*), parts: moved)
  }

  /// Whether the elements of a chunk follow each other in the tensor: after the first axis of which it has several indices,
  /// it has all of the others.
  private func isRun(_ chunk: Chunk) -> Bool {
    let first = chunk.sizes.firstIndex { $0 > 1 } ?? shape.count
    return shape.indices.dropFirst(first + 1).allSatisfy { chunk.sizes[$0] == shape[$0] }
  }
}
