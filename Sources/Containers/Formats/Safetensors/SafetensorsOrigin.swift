import TensorCore

/// The safetensors files that the tensors of a checkpoint stood in: all of them but the tensors.
struct SafetensorsOrigin: Sendable {
  /// One file.
  struct Shard: Sendable {
    /// Its name, and everything before the tensors' bytes: length and header.
    let head: CompanionFile
    /// How many of the checkpoint's tensors, in order, were in it.
    let tensorCount: Int

    init(_ head: CompanionFile, _ tensorCount: Int) {
      self.head = head
      self.tensorCount = tensorCount
    }
  }

  /// The files, in the order of their names.
  var shards: [Shard]
  /// The shard index.
  var index: CompanionFile?
  /// What stands in the container that the files are to be made of again; `nil` while they exist.
  var kept: Kept?

  /// Tensors and metadata of a container.
  struct Kept: Sendable {
    let tensors: [Tensor]
    let metadata: Metadata?
  }

  /// The contents of each file as it was, or `nil` if `contents` are not what they were.
  ///
  /// - Throws: `CheckpointError` if the container says that these were the files, and that cannot be.
  func parts(of contents: Contents) throws(CheckpointError) -> [Contents]? {
    if let parts = try split(contents) { return parts }
    if let kept, kept.describesSame(as: contents) {
      throw CheckpointError(
        .malformed("the head of an original safetensors file inside does not fit the tensors"))
    }
    return nil
  }

  /// Nothing that the heads say is believed: they may come from a file that lies.
  private func split(_ contents: Contents) throws(CheckpointError) -> [Contents]? {
    var parts: [Contents] = []
    var metadata: Metadata?
    var position = 0
    for shard in shards {
      guard let end = position.addedIfFits(shard.tensorCount), end <= contents.tensors.count else {
        return nil
      }
      let tensors = Array(contents.tensors[position..<end])
      position = end
      let head = try shard.head.read(limit: Limits.safetensorsHeader + 8)
      guard let header = SafetensorsHeader(head: head), header.describes(tensors) else {
        return nil
      }
      metadata = Metadata.merged(metadata, header.metadata)
      var part = Contents(tensors: tensors, metadata: header.metadata)
      part.head = head
      parts.append(part)
    }
    return position == contents.tensors.count && metadata == contents.metadata ? parts : nil
  }
}

extension SafetensorsHeader {
  /// Reads the head of a file, its length included; `nil` if that is none.
  fileprivate init?(head: [UInt8]) {
    guard head.count > 8, littleEndian(head[..<8]) == UInt64(head.count - 8),
      head[8] == UInt8(ascii: "{"), let header = try? SafetensorsHeader(Array(head[8...]))
    else { return nil }
    self = header
  }

  /// Whether these tensors, in this order, are what the header describes.
  fileprivate func describes(_ tensors: [Tensor]) -> Bool {
    entries.count == tensors.count
      && zip(entries, tensors).allSatisfy { entry, tensor in
        entry.name == tensor.name && entry.dtype == tensor.dtype && entry.shape == tensor.shape
      }
  }
}

extension SafetensorsOrigin.Kept {
  /// Whether names, dtypes, shapes, order and metadata are the same.
  fileprivate func describesSame(as other: Contents) -> Bool {
    tensors.count == other.tensors.count && metadata == other.metadata
      && zip(tensors, other.tensors).allSatisfy { a, b in
        a.name == b.name && a.dtype == b.dtype && a.shape == b.shape
      }
  }
}
