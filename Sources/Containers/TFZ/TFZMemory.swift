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
