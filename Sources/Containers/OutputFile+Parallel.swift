import TensorCore

/// Bytes that can be read anywhere, from several threads at once, best in whole chunks.
protocol ChunkedBytes: TensorBytes {
  /// The bytes of a chunk; the last one may have fewer.
  var chunkSize: Int { get }
}

extension ChunkedBytes {
  var isReadForwards: Bool { false }
}

extension OutputFile {
  /// The most bytes that are on their way between two reports of progress.
  private static let groupSize = 32 << 20

  /// Appends the bytes of tensors, in order. Bytes in chunks are read on several threads.
  func copy(_ tensors: [Tensor], progress: (Int) -> Void) throws(CheckpointError) {
    var rest = tensors[...]
    while let first = rest.first {
      let chunked = rest.prefix { $0.bytes is any ChunkedBytes }
      if chunked.isEmpty {
        try copy(first, progress: progress)
        rest.removeFirst()
      } else {
        try copyChunks(chunked, progress: progress)
        rest.removeFirst(chunked.count)
      }
    }
  }

  /// A stretch of a tensor, and where it goes.
  private struct Piece {
    let tensor: Tensor
    let range: Range<Int>
    let target: Int
  }

  private func copyChunks(
    _ tensors: ArraySlice<Tensor>, progress: (Int) -> Void
  ) throws(CheckpointError) {
    var pieces: [Piece] = []
    var size = 0
    func flush() throws(CheckpointError) {
      try inParallel(pieces.count) { index throws(CheckpointError) in
        try copy(pieces[index])
      }
      progress(size)
      pieces = []
      size = 0
    }
    for tensor in tensors {
      let step = (tensor.bytes as? any ChunkedBytes)?.chunkSize ?? Self.bufferSize
      for start in stride(from: 0, to: tensor.byteCount, by: step) {
        let range = start..<min(start + step, tensor.byteCount)
        pieces.append(Piece(tensor: tensor, range: range, target: try reserve(range.count)))
        size += range.count
        if size >= Self.groupSize { try flush() }
      }
    }
    try flush()
  }

  private func copy(_ piece: Piece) throws(CheckpointError) {
    try ScratchBuffer.with(piece.range.count) { buffer throws(CheckpointError) in
      var span = unsafe MutableRawSpan(_unsafeBytes: buffer.memory)
      var target = span._mutatingExtracting(first: piece.range.count)
      do throws(CheckpointError) {
        try piece.tensor.bytes.read(at: piece.range.lowerBound, into: &target)
      } catch {
        var error = error
        error.tensor = error.tensor ?? piece.tensor.name
        throw error
      }
      try fill(target.bytes, at: piece.target)
    }
  }
}
