import TensorCore

extension TFZLayout {
  /// The index.
  ///
  /// - Parameters:
  ///   - records: for each stream the bytes of its records.
  ///   - digests: for each stream its SHA-256, if digests are kept.
  func index(records: [[UInt8]], digests: [[UInt8]]?) throws(CheckpointError) -> [UInt8] {
    var text = IndexText()
    addCounts(to: &text, hasDigests: digests != nil)
    for (number, source) in sources.enumerated() {
      text.add(UInt64(source.tensor.byteCount))
      text.bytes += [UInt8(source.unit.width), UInt8(source.unit.exponentBits), 0, 0]
      if let digests { text.bytes += digests[number] }
      text.bytes += records[number]
    }
    for (tensor, stream) in zip(contents.tensors, placement) {
      text.add(tensor.name.text.utf8)
      text.add(tensor.dtype.name.utf8)
      text.add(tensor.shape.count)
      for extent in tensor.shape { text.add(UInt64(extent)) }
      text.add(stream)
    }
    addFiles(to: &text)
    for entry in contents.metadata?.entries ?? [] {
      text.add(entry.key.utf8)
      text.add(entry.value.utf8)
    }
    guard text.bytes.count <= TFZ.Limits.index else {
      throw CheckpointError(
        .limitExceeded("the length of the index", limit: TFZ.Limits.index, found: text.bytes.count))
    }
    return text.bytes
  }

  private func addCounts(to text: inout IndexText, hasDigests: Bool) {
    let flags =
      (hasDigests ? TFZ.Flags.digests : 0)
      | (contents.keepsOrder ? 0 : TFZ.Flags.orderUndeclared)
      | (contents.belongings.files.allSatisfy { isPlainFileName($0.name) } ? 0 : TFZ.Flags.paths)
    text.add(Int(flags))
    text.add(options.chunkUnits)
    text.add(sources.count)
    text.add(contents.tensors.count)
    text.add(contents.belongings.files.count)
    text.add(contents.belongings.origin?.shards.count ?? 0)
    text.add(contents.metadata?.entries.count ?? Int(TFZ.noMetadata))
  }

  private func addFiles(to text: inout IndexText) {
    var stream = sources.count - contents.filesInside.count
    func add(_ file: CompanionFile) {
      text.add(file.name)
      text.add(stream)
      stream += 1
    }
    for file in contents.belongings.files { add(file) }
    guard let origin = contents.belongings.origin else { return }
    for shard in origin.shards {
      add(shard.head)
      text.add(shard.tensorCount)
    }
    text.add(origin.index == nil ? 0 : 1)
    if let index = origin.index { add(index) }
  }
}

/// The bytes of an index while it is put together.
private struct IndexText {
  var bytes: [UInt8] = []

  mutating func add(_ number: Int) { bytes += UInt32(number).littleEndianBytes }

  mutating func add(_ number: UInt64) { bytes += number.littleEndianBytes }

  mutating func add(_ string: some Collection<UInt8>) {
    add(string.count)
    bytes += string
  }
}
