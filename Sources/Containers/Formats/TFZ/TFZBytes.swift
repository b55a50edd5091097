public import TensorCore

/// The bytes of a stream, for one of those whose bytes they are.
final class TFZBytes: ChunkedBytes {
  /// Whose bytes they are, for errors.
  enum Owner {
    case tensor(TensorName)
    case file([UInt8])
  }

  private let archive: TFZArchive
  private let number: Int
  private let owner: Owner

  init(_ archive: TFZArchive, _ stream: Int, of owner: Owner) {
    self.archive = archive
    number = stream
    self.owner = owner
  }

  private var stream: TFZIndex.Stream { archive.index.streams[number] }

  var count: Int { stream.length }

  var chunkSize: Int { archive.index.chunkUnits * stream.unit.width }

  var isReadForwards: Bool { false }

  /// Chunks that were read last, are being decoded or wait to be written, and what the decoders need.
  var workingMemory: Int { (4 + 3 * Workers.count + WriteQueue.most) * chunkSize + (16 << 20) }

  /// The SHA-256 that the file has of the bytes.
  var storedDigest: [UInt8]? { stream.digest }

  /// Compares the bytes' SHA-256 with the one that the file has of them, if it has one.
  ///
  /// - Throws: `CheckpointError` of the problem `checksum` if they are not the same.
  func check(_ digest: [UInt8]) throws(CheckpointError) {
    guard let storedDigest, storedDigest != digest else { return }
    throw attributed(CheckpointError(.checksum("its bytes (SHA-256)")))
  }

  func announce(_ range: Range<Int>) {
    guard let last = range.last else { return }
    let starts = archive.index.chunkStarts
    let first = stream.firstChunk
    archive.source.announce(
      starts[first + range.lowerBound / chunkSize]..<starts[first + last / chunkSize + 1])
  }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    precondition(offset >= 0 && offset <= count - buffer.byteCount, "read past the end of a stream")
    do throws(CheckpointError) {
      try unsafe buffer.withUnsafeMutableBytes { target throws(CheckpointError) in
        try unsafe archive.read(stream, at: offset, into: target)
      }
    } catch {
      throw attributed(error)
    }
  }

  /// The fault, with the name of what it concerns.
  func attributed(_ error: CheckpointError) -> CheckpointError {
    var error = error
    switch (owner, error.problem) {
    case (.tensor(let name), _): error.tensor = error.tensor ?? name
    case (.file(let name), .checksum(let what)):
      error.problem = .checksum("\(what) of \"\(String(decoding: name, as: UTF8.self))\"")
    case (.file(let name), .malformed(let reason)):
      error.problem = .malformed("\"\(String(decoding: name, as: UTF8.self))\", \(reason)")
    default: break
    }
    if let bytes = archive.source as? FileBytes { error = error.inFile(bytes.file.name) }
    return error
  }
}

extension Tensor {
  /// Compares the SHA-256 of the tensor's bytes with the one that its container has of them, if it has
  /// one.
  ///
  /// - Throws: `CheckpointError` of the problem `checksum` if they are not the same.
  public func check(digest: [UInt8]) throws(CheckpointError) {
    try (bytes as? TFZBytes)?.check(digest)
  }
}
