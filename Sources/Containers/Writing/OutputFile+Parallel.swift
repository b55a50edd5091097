import Synchronization
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
  /// The most pieces of a list, which takes memory. Between lists all threads wait for the last one.
  private static let groupSize = 4096

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
    let queue = WriteQueue(writer)
    let reporting = Mutex(())
    func flush() throws(CheckpointError) {
      try inParallel(pieces.count) { index throws(CheckpointError) in
        try copy(pieces[index], to: queue)
        reporting.withLock { _ in progress(pieces[index].range.count) }
      }
      pieces = []
    }
    for tensor in tensors {
      let step = (tensor.bytes as? any ChunkedBytes)?.chunkSize ?? Self.bufferSize
      for start in stride(from: 0, to: tensor.byteCount, by: step) {
        let range = start..<min(start + step, tensor.byteCount)
        pieces.append(Piece(tensor: tensor, range: range, target: try reserve(range.count)))
        if pieces.count == Self.groupSize { try flush() }
      }
    }
    try flush()
  }

  private func copy(_ piece: Piece, to queue: WriteQueue) throws(CheckpointError) {
    let buffer = ScratchBuffer.take(piece.range.count)
    do throws(CheckpointError) {
      var span = unsafe MutableRawSpan(_unsafeBytes: buffer.memory)
      var target = span._mutatingExtracting(first: piece.range.count)
      try piece.tensor.bytes.read(at: piece.range.lowerBound, into: &target)
    } catch {
      buffer.release()
      var error = error
      error.tensor = error.tensor ?? piece.tensor.name
      throw error
    }
    try queue.write(buffer, count: piece.range.count, at: piece.target)
  }
}
