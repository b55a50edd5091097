public import TensorCore

extension TFZ {
  /// Compresses tensors into a TFZ file in memory.
  ///
  /// - Throws: `CheckpointError` if a tensor cannot be read, or exceeds a limit of the format.
  public static func encode(
    _ tensors: [Tensor], metadata: Metadata? = nil, options: Options = Options()
  ) throws(CheckpointError) -> [UInt8] {
    let layout = try TFZLayout(Contents(tensors: tensors, metadata: metadata), options)
    var failure: CheckpointError?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: layout.byteCount) { buffer, count in
      unsafe adviseHugePages(UnsafeMutableRawBufferPointer(buffer))
      let sink = unsafe MemorySink(UnsafeMutableRawBufferPointer(buffer))
      do throws(CheckpointError) {
        try layout.write(to: sink as any TFZSink, progress: { _ in })
        count = sink.position
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// The tensors of a TFZ file in memory; nothing is decompressed until it is read.
  ///
  /// - Throws: `CheckpointError` if the bytes are no TFZ file.
  public static func decode(_ bytes: [UInt8]) throws(CheckpointError) -> [Tensor] {
    try TFZArchive(ByteArray(bytes)).contents.tensors
  }
}

extension TFZ {
  /// Fills `buffer` with the bytes of all tensors, one after the other, on several threads.
  ///
  /// - Precondition: the buffer has as many bytes as the tensors together.
  /// - Throws: `CheckpointError` if a tensor cannot be read.
  public static func read(
    _ tensors: [Tensor], into buffer: inout MutableRawSpan
  ) throws(CheckpointError) {
    var pieces: [(bytes: any TensorBytes, range: Range<Int>, target: Int)] = []
    var total = 0
    for tensor in tensors {
      let step = (tensor.bytes as? any ChunkedBytes)?.chunkSize ?? max(1, tensor.byteCount)
      for start in stride(from: 0, to: tensor.byteCount, by: step) {
        let range = start..<min(start + step, tensor.byteCount)
        pieces.append((tensor.bytes, range, total + start))
      }
      total += tensor.byteCount
    }
    precondition(buffer.byteCount == total, "the buffer has the size of the tensors")
    try unsafe buffer.withUnsafeMutableBytes { memory throws(CheckpointError) in
      try inParallel(pieces.count) { index throws(CheckpointError) in
        let (bytes, range, target) = pieces[index]
        let place = unsafe UnsafeMutableRawBufferPointer(
          rebasing: memory[target..<target + range.count])
        var span = unsafe MutableRawSpan(_unsafeBytes: place)
        try bytes.read(at: range.lowerBound, into: &span)
      }
    }
  }
}

/// A file in memory.
@safe private final class MemorySink: TFZSink {
  private(set) var position = 0
  private let memory: UnsafeMutableRawBufferPointer

  /// Writes to `memory`, which must be large enough and outlive this.
  init(_ memory: UnsafeMutableRawBufferPointer) {
    unsafe self.memory = unsafe memory
  }

  func reserve(_ count: Int) -> Int {
    defer { position += count }
    return position
  }

  func fill(_ bytes: RawSpan, at offset: Int) throws(CheckpointError) {
    unsafe bytes.withUnsafeBytes { source in
      unsafe UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + source.count])
        .copyMemory(from: source)
    }
  }
}
