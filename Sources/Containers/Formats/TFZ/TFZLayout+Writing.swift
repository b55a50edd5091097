import Synchronization
import TensorCore

extension TFZLayout {
  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError) {
    try write(to: file as any TFZSink, progress: progress)
  }

  /// Writes everything to wherever it shall go.
  func write(to sink: any TFZSink, progress: (Int) -> Void) throws(CheckpointError) {
    try sink.append(TFZ.magic + TFZ.version.littleEndianBytes + [0, 0, 0, 0])
    progress(TFZ.headerSize)
    let records = try writeChunks(to: sink, progress: progress)
    let start = sink.position
    let index = try index(records: records, digests: try digests())
    try sink.append(index)
    try sink.append(
      UInt64(start).littleEndianBytes + UInt64(index.count).littleEndianBytes
        + xxh3(index).littleEndianBytes + TFZ.endMagic)
    progress(index.count + TFZ.footerSize)
  }

  /// Bytes of chunks that are on their way at the same time.
  fileprivate static let groupSize = 32 << 20

  /// Compresses and writes all chunks, in order; returns the records of each stream.
  private func writeChunks(
    to sink: any TFZSink, progress: (Int) -> Void
  ) throws(CheckpointError) -> [[UInt8]] {
    var records = sources.map { _ in [UInt8]() }
    var chunks: [TFZChunkGroup.Chunk] = []
    var size = 0
    func flush() throws(CheckpointError) {
      let group = TFZChunkGroup(chunks, sink)
      for (chunk, record) in zip(chunks, try group.write()) {
        records[chunk.stream] += record.bytes
      }
      progress(size)
      chunks = []
      size = 0
    }
    for (number, source) in sources.enumerated() {
      let step = options.chunkUnits * source.unit.width
      for start in stride(from: 0, to: source.tensor.byteCount, by: step) {
        let range = start..<min(start + step, source.tensor.byteCount)
        chunks.append(TFZChunkGroup.Chunk(source: source, stream: number, range: range))
        size += range.count
        if size >= Self.groupSize { try flush() }
      }
    }
    try flush()
    return records
  }

  /// The SHA-256 of every stream. Reads all of them once more.
  ///
  /// - Throws: `CheckpointError` if bytes cannot be read, or are not those whose SHA-256 another TFZ file
  ///   has that they come from.
  private func digests() throws(CheckpointError) -> [[UInt8]]? {
    guard options.keepsDigests else { return nil }
    let digests = Mutex(sources.map { _ in [UInt8]() })
    try inParallel(sources.count) { number throws(CheckpointError) in
      let tensor = sources[number].tensor
      let digest = try tensor.bytes.inTurn { () throws(CheckpointError) in
        try SHA256.bytes(of: tensor)
      }
      try (tensor.bytes as? TFZBytes)?.check(digest)
      digests.withLock { $0[number] = digest }
    }
    return digests.withLock { $0 }
  }
}

/// Chunks that are compressed at the same time, and written in their order.
final class TFZChunkGroup: Sendable {
  /// A chunk to be.
  struct Chunk: Sendable {
    let source: TFZLayout.Source
    let stream: Int
    let range: Range<Int>
  }

  /// The most memory that all threads together work in.
  private static let memory = 40 << 20

  /// Bytes that a thread needs for a chunk: units, planes, an attempt, the result, and for zstd.
  private static func workingMemory(_ size: Int, _ effort: TFZEncoder.Effort) -> Int {
    switch effort {
    case .entropy: 4 * size + (1 << 20)
    case .level: 4 * size + (8 << 20)
    }
  }

  /// How many threads may work on chunks that need so much.
  private static func workers(_ chunkMemory: Int) -> Int {
    min(Workers.count, max(1, memory / chunkMemory))
  }

  /// The most memory that writing these takes.
  static func workingMemory(_ sources: [TFZLayout.Source], _ options: TFZ.Options) -> Int {
    let largest =
      sources.map {
        let size = min(options.chunkUnits * $0.unit.width, $0.tensor.byteCount)
        return workingMemory(size, $0.effort)
      }.max() ?? 0
    return largest == 0 ? 0 : workers(largest) * largest + TFZLayout.groupSize
  }

  private let chunks: [Chunk]
  /// The bytes of the largest of them.
  private let largest: Int
  /// Used under the lock, except for writing to places that nobody else has.
  private nonisolated(unsafe) let sink: any TFZSink
  /// The number of the chunk that is read next. Sources may be streams, which are read in order.
  private let nextToRead = Mutex(0)
  private let output: Mutex<Output>

  /// What has been compressed.
  private struct Output {
    /// The number of the chunk that gets the next place in the file.
    var next = 0
    /// Later chunks, which wait for their place.
    var waiting: [Int: (bytes: ScratchBuffer, count: Int)] = [:]
    var records: [TFZRecord?]
  }

  init(_ chunks: [Chunk], _ sink: any TFZSink) {
    self.chunks = chunks
    largest = chunks.map(\.range.count).max() ?? 0
    unsafe self.sink = sink
    output = Mutex(Output(records: chunks.map { _ in nil }))
  }

  /// Compresses and writes all; returns their records.
  func write() throws(CheckpointError) -> [TFZRecord] {
    let most = chunks.map { Self.workingMemory($0.range.count, $0.source.effort) }.max() ?? 1
    let workers = min(chunks.count, Self.workers(most))
    try inParallel(workers) { _ throws(CheckpointError) in
      while try writeNext() {}
    }
    return output.withLock { $0.records.compactMap(\.self) }
  }

  /// Compresses a chunk, and writes what has a place by then; `false` if no chunk is left.
  private func writeNext() throws(CheckpointError) -> Bool {
    let encoder = TFZEncoder.take(largest)
    defer { encoder.release() }
    guard let number = try readNext(into: encoder) else { return false }
    let chunk = chunks[number]
    let buffer = ScratchBuffer.take(chunk.range.count)
    let (count, record) = unsafe encode(chunk, with: encoder, into: buffer.memory)
    for (buffer, count, offset) in try finish(number, buffer, count, record) {
      defer { buffer.release() }
      let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer.memory[..<count])
      try unsafe sink.fill(RawSpan(_unsafeBytes: bytes), at: offset)
    }
    return true
  }

  /// Compresses a chunk that has been read, or is in memory anyway.
  private func encode(
    _ chunk: Chunk, with encoder: TFZEncoder, into target: UnsafeMutableRawBufferPointer
  ) -> (Int, TFZRecord) {
    func encode(_ units: UnsafeRawBufferPointer) -> (Int, TFZRecord) {
      unsafe encoder.encode(
        units, unit: chunk.source.unit, effort: chunk.source.effort, into: target)
    }
    if let memory = chunk.source.tensor.bytes as? ByteArray {
      return unsafe memory.bytes.withUnsafeBytes { bytes in
        unsafe encode(UnsafeRawBufferPointer(rebasing: bytes[chunk.range]))
      }
    }
    return unsafe encode(UnsafeRawBufferPointer(rebasing: encoder.units[..<chunk.range.count]))
  }

  private func readNext(into encoder: TFZEncoder) throws(CheckpointError) -> Int? {
    try nextToRead.withLock { next throws(CheckpointError) -> Int? in
      guard next < chunks.count else { return nil }
      let number = next
      let chunk = chunks[number]
      if chunk.source.tensor.bytes is ByteArray {
        next = number + 1
        return number
      }
      next = chunks.count  // unless all goes well
      var span = unsafe MutableRawSpan(_unsafeBytes: encoder.units)
      var target = span._mutatingExtracting(first: chunk.range.count)
      do throws(CheckpointError) {
        try chunk.source.tensor.bytes.read(at: chunk.range.lowerBound, into: &target)
      } catch {
        var error = error
        error.tensor = error.tensor ?? chunk.source.tensor.name
        throw error
      }
      next = number + 1
      return number
    }
  }

  /// Takes a compressed chunk; returns those whose place in the file is known now.
  private func finish(
    _ number: Int, _ buffer: ScratchBuffer, _ count: Int, _ record: TFZRecord
  ) throws(CheckpointError) -> [(buffer: ScratchBuffer, count: Int, offset: Int)] {
    try output.withLock { output throws(CheckpointError) in
      output.records[number] = record
      output.waiting[number] = (buffer, count)
      var ready: [(buffer: ScratchBuffer, count: Int, offset: Int)] = []
      while let (buffer, count) = output.waiting.removeValue(forKey: output.next) {
        ready.append((buffer, count, try unsafe sink.reserve(count)))
        output.next += 1
      }
      return ready
    }
  }
}
