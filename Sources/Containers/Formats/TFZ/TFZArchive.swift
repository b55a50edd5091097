import Synchronization
import TensorCore

/// A TFZ file that is open for reading: its index is in memory, its chunks are not.
final class TFZArchive: Sendable {
  /// The whole file.
  let source: any TensorBytes
  let index: TFZIndex
  /// The version of the format.
  let version: UInt64

  /// Chunks that were needed in part, the latest last: whoever reads row by row needs them again.
  private let recent = Mutex<[Recent]>([])
  private static let recentCount = 4

  private struct Recent {
    let chunk: Int
    let bytes: [UInt8]
  }

  /// Reads header, footer and index, and checks all that can be checked without the chunks.
  init(_ source: any TensorBytes) throws(CheckpointError) {
    self.source = source
    version = try Self.checkedVersion(source)
    let (start, bytes) = try Self.readIndex(source)
    index = try TFZIndex(bytes, at: start)
    if version > 1 { try index.checkNames(at: start) }
  }

  /// The version, of a header that has nothing wrong with it.
  private static func checkedVersion(
    _ source: any TensorBytes
  ) throws(CheckpointError) -> UInt64 {
    let header = try source.read(0..<min(source.count, TFZ.headerSize))
    guard header.starts(with: TFZ.magic) else {
      throw CheckpointError(.malformed("does not begin as TFZ does"), offset: 0)
    }
    // The version decides before anything else, even how long a file must be.
    guard header.count >= 12 else {
      throw CheckpointError(.truncated(needed: 12, available: header.count), offset: 0)
    }
    let version = littleEndian(header[8..<12])
    guard TFZ.knownVersions.contains(version) else {
      throw CheckpointError(
        .unsupported("is TFZ version \(version); known are versions 1 and 2"), offset: 8)
    }
    let smallest = TFZ.headerSize + TFZ.footerSize
    guard source.count >= smallest else {
      throw CheckpointError(.truncated(needed: smallest, available: source.count), offset: 0)
    }
    guard littleEndian(header[12..<16]) == 0 else {
      throw CheckpointError(.malformed("the header has bits that must be zero"), offset: 12)
    }
    return version
  }

  private static func readIndex(
    _ source: any TensorBytes
  ) throws(CheckpointError) -> (start: Int, bytes: [UInt8]) {
    let end = source.count - TFZ.footerSize
    let footer = try source.read(end..<source.count)
    guard footer[24...].elementsEqual(TFZ.endMagic) else {
      throw CheckpointError(
        .malformed("does not end as TFZ does: it is cut off, or something was appended"),
        offset: end)
    }
    guard let start = Int(exactly: littleEndian(footer[0..<8])),
      let length = Int(exactly: littleEndian(footer[8..<16])), start >= TFZ.headerSize,
      start.addedIfFits(length) == end
    else {
      throw CheckpointError(
        .malformed("the footer puts the index where it cannot be"), offset: end)
    }
    guard length <= TFZ.Limits.index else {
      throw CheckpointError(
        .limitExceeded("the length of the index", limit: TFZ.Limits.index, found: length),
        offset: end + 8)
    }
    let bytes = try source.read(start..<end)
    guard xxh3(bytes) == littleEndian(footer[16..<24]) else {
      throw CheckpointError(.checksum("the index"), offset: start)
    }
    return (start, bytes)
  }

  /// What the file holds.
  var contents: Contents {
    let tensors = index.tensors.map { entry in
      Tensor(
        name: entry.name, dtype: entry.dtype, shape: entry.shape,
        bytes: TFZBytes(self, entry.stream, of: .tensor(entry.name)))
    }
    var contents = Contents(tensors: tensors, metadata: index.metadata)
    contents.keepsOrder = index.flags & TFZ.Flags.orderUndeclared == 0
    contents.archive = self
    contents.belongings.files = index.files.map { file($0) }
    if !index.origins.isEmpty {
      contents.belongings.origin = SafetensorsOrigin(
        shards: index.origins.map { SafetensorsOrigin.Shard(file($0), $0.tensorCount) },
        index: index.shardIndex.map { file($0) },
        kept: SafetensorsOrigin.Kept(tensors: tensors, metadata: index.metadata))
    }
    return contents
  }

  private func file(_ file: TFZIndex.File) -> CompanionFile {
    CompanionFile(name: file.name, bytes: TFZBytes(self, file.stream, of: .file(file.name)))
  }

  // MARK: Reading

  /// Fills `buffer` with bytes of `stream` from `offset` on, on several threads.
  func read(
    _ stream: TFZIndex.Stream, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    guard buffer.count > 0 else { return }
    let size = index.chunkUnits * stream.unit.width
    let first = offset / size
    let last = (offset + buffer.count - 1) / size
    try inParallel(last - first + 1) { number throws(CheckpointError) in
      let chunk = first + number
      let range = chunk * size..<min((chunk + 1) * size, stream.length)
      let wanted = range.clamped(to: offset..<offset + buffer.count)
      let target = unsafe UnsafeMutableRawBufferPointer(
        rebasing: buffer[wanted.lowerBound - offset..<wanted.upperBound - offset])
      if wanted == range {
        try unsafe decode(chunk, of: stream, into: target)
      } else {
        try unsafe copy(
          chunk, of: stream, size: range.count, from: wanted.lowerBound - range.lowerBound,
          into: target)
      }
    }
  }

  /// Decompresses a whole chunk.
  func decode(
    _ chunk: Int, of stream: TFZIndex.Stream, into target: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    let start = index.chunkStarts[stream.firstChunk + chunk]
    let length = index.chunkStarts[stream.firstChunk + chunk + 1] - start
    do throws(CheckpointError) {
      try TFZDecoder.with(size: target.count) { decoder throws(CheckpointError) in
        let record = index.record(chunk, of: stream)
        if let memory = source as? ByteArray {
          try unsafe memory.bytes.span.bytes.withUnsafeBytes { bytes throws(CheckpointError) in
            let stored = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
            try unsafe decoder.decode(
              record, stored, unit: stream.unit, isChecked: version > 1, into: target)
          }
        } else {
          let stored = unsafe UnsafeMutableRawBufferPointer(rebasing: decoder.stored[..<length])
          var span = unsafe MutableRawSpan(_unsafeBytes: stored)
          try source.read(at: start, into: &span)
          try unsafe decoder.decode(
            record, UnsafeRawBufferPointer(stored), unit: stream.unit, isChecked: version > 1,
            into: target)
        }
      }
    } catch {
      throw error.inChunk(chunk, at: start)
    }
  }

  /// Copies a part of a chunk, which is kept for whoever needs another part.
  private func copy(
    _ chunk: Int, of stream: TFZIndex.Stream, size: Int, from offset: Int,
    into target: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    let number = stream.firstChunk + chunk
    let bytes: [UInt8]
    if let found = recent.withLock({ $0.first { $0.chunk == number }?.bytes }) {
      bytes = found
    } else {
      var made = [UInt8](repeating: 0, count: size)
      var span = made.mutableSpan
      var raw = unsafe span.mutableBytes
      try unsafe raw.withUnsafeMutableBytes { buffer throws(CheckpointError) in
        try unsafe decode(chunk, of: stream, into: buffer)
      }
      bytes = made
      recent.withLock { recent in
        if recent.count >= Self.recentCount { recent.removeFirst() }
        recent.append(Recent(chunk: number, bytes: made))
      }
    }
    unsafe bytes.withUnsafeBytes { source in
      unsafe target.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + target.count]))
    }
  }
}

extension CheckpointError {
  /// The same fault, which is one of that chunk, unless the file could not be read at all.
  fileprivate func inChunk(_ chunk: Int, at start: Int) -> CheckpointError {
    var error = self
    switch problem {
    case .checksum: error.problem = .checksum("chunk \(chunk)")
    case .malformed(let reason): error.problem = .malformed("chunk \(chunk): \(reason)")
    default: return error
    }
    error.offset = start
    return error
  }
}
