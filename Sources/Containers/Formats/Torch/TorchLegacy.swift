import TensorCore

/// Reads a file as `torch.save` wrote it before version 1.6: five pickles one after the other (a number
/// that says what it is, a version, facts about the machine, the object, and the names of the storages),
/// then the storages.
///
/// Source: torch/serialization.py (`_legacy_save`, `_legacy_load`) of torch 2.13.
func readLegacyTorch(_ file: any ByteSource) throws(CheckpointError) -> Contents {
  let bytes = FileBytes(file: file, start: 0, count: file.size)
  let magic = try Pickle(bytes, base: 0)
  guard magic.heap.object(magic.root) == .bigNumber else {
    throw CheckpointError(.malformed("does not begin as torch's files do"), offset: 0)
  }
  let version = try Pickle(bytes, at: magic.end, base: 0)
  guard case .int(1001) = version.root else {
    throw CheckpointError(
      .unsupported("is a PyTorch file of a version that is not known"), offset: magic.end)
  }
  let facts = try Pickle(bytes, at: version.end, base: 0)
  let object = try Pickle(bytes, at: facts.end, base: 0)
  let tree = try TorchTree(object, name: file.stem)
  let keys = try Pickle(bytes, at: object.end, base: 0)
  guard let names = keys.heap.elements(keys.root) else {
    throw CheckpointError(.malformed("the names of the storages are no list"), offset: object.end)
  }
  var places = [FileBytes?](repeating: nil, count: tree.storages.all.count)
  var position = keys.end
  for name in names {
    guard let key = keys.heap.string(name), let number = tree.storages.number(of: TensorName(key))
    else {
      throw CheckpointError(
        .malformed("a storage is there that no tensor is in"), offset: position)
    }
    guard places[number] == nil else {
      throw CheckpointError(.malformed("the storage \"\(key)\" is there twice"), offset: position)
    }
    places[number] = try storage(tree.storages.all[number], in: file, at: &position)
  }
  guard position == file.size else {
    throw CheckpointError(
      .malformed("\(file.size - position) bytes follow the last storage"), offset: position)
  }
  var storages: [any TensorBytes] = []
  for (place, storage) in zip(places, tree.storages.all) {
    guard let place else {
      throw CheckpointError(.malformed("the storage \"\(storage.key)\" is not in the file"))
    }
    storages.append(place)
  }
  return try tree.contents(storages, isBigEndian: false, fileSize: file.size)
}

/// The bytes of the storage at `position`, which moves behind it: the number of its elements, and these.
private func storage(
  _ storage: TorchStorages.Storage, in file: any ByteSource, at position: inout Int
) throws(CheckpointError) -> FileBytes {
  let available = file.size - position
  guard available >= 8 else {
    throw CheckpointError(.truncated(needed: 8, available: available), offset: position)
  }
  let count = littleEndian(try file.read(position..<position + 8)[...])
  guard count == UInt64(storage.count) else {
    throw CheckpointError(
      .malformed(
        "the storage \"\(storage.key)\" has \(count) elements, its tensors speak of \(storage.count)"
      ),
      offset: position)
  }
  guard storage.byteCount <= available - 8 else {
    throw CheckpointError(
      .truncated(needed: storage.byteCount, available: available - 8), offset: position)
  }
  defer { position += 8 + storage.byteCount }
  return FileBytes(file: file, start: position + 8, count: storage.byteCount)
}
