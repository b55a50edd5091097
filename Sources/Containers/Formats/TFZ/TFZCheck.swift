public import TensorCore

extension Checkpoint {
  /// Whether everything in the container has a checksum, so that `integrityFaults` can say more than
  /// opening and reading do.
  public var hasChecksums: Bool { archive != nil }

  /// Whether the container also has the SHA-256 of every tensor's bytes.
  public var hasDigests: Bool { archive.map { $0.index.flags & TFZ.Flags.digests != 0 } ?? false }

  /// Reads all of a TFZ file, and compares every chunk with its checksum, every tensor and file
  /// inside with its SHA-256 if there is one, and the heads of the original safetensors files with
  /// the tensors. Of other containers there is nothing to compare.
  ///
  /// - Parameter progress: hears how many bytes of tensors and files have been compared so far.
  /// - Returns: what is wrong, at most one fault for each tensor or file; nothing if all is well.
  /// - Throws: `CheckpointError` if the file cannot be read at all.
  public func integrityFaults(
    progress: (Int) -> Void = { _ in }
  ) throws(CheckpointError) -> [CheckpointError] {
    guard let archive else { return [] }
    return try archive.faults(progress: progress)
  }
}

extension TFZArchive {
  fileprivate func faults(
    progress: (Int) -> Void
  ) throws(CheckpointError) -> [CheckpointError] {
    var faults: [CheckpointError] = []
    var done = 0
    for (number, owner) in owners.enumerated() {
      let bytes = TFZBytes(self, number, of: owner)
      do throws(CheckpointError) {
        try check(bytes) { count in
          done += count
          progress(done)
        }
      } catch {
        switch error.problem {
        case .checksum, .malformed: faults.append(error)
        default: throw error
        }
      }
    }
    // What cannot be read cannot be compared.
    guard faults.isEmpty, let origin = contents.belongings.origin else { return faults }
    do throws(CheckpointError) {
      _ = try origin.parts(of: contents)
    } catch {
      faults.append((source as? FileBytes).map { error.inFile($0.file.name) } ?? error)
    }
    return faults
  }

  /// For each stream, the first tensor or file that it belongs to.
  private var owners: [TFZBytes.Owner] {
    var owners = index.streams.map { _ in TFZBytes.Owner.file([]) }
    let files = index.files + index.origins + [index.shardIndex].compactMap(\.self)
    for file in files.reversed() { owners[file.stream] = .file(file.name) }
    for tensor in index.tensors.reversed() { owners[tensor.stream] = .tensor(tensor.name) }
    return owners
  }

  /// Reads all bytes, and compares their digest.
  private func check(_ bytes: TFZBytes, progress: (Int) -> Void) throws(CheckpointError) {
    let isHashed = bytes.storedDigest != nil
    let step = max(bytes.chunkSize, (8 << 20) / bytes.chunkSize * bytes.chunkSize)
    var digest = SHA256()
    for start in stride(from: 0, to: bytes.count, by: step) {
      let piece = try bytes.read(start..<min(start + step, bytes.count))
      if isHashed { digest.update(piece) }
      progress(piece.count)
    }
    if isHashed { try bytes.check(digest.finalizedBytes()) }
  }
}
