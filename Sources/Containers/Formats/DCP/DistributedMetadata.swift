import TensorCore

/// What the metadata of a distributed checkpoint says: which tensors there are, in which chunks they lie, and where these
/// are.
///
/// Source: torch/distributed/checkpoint/metadata.py (`Metadata`), filesystem.py (`_StorageInfo`) of torch 2.13.
struct DistributedMetadata {
  /// Where a chunk, or a value, lies: all that `torch.save` has written for it.
  struct Stretch {
    /// Index of `files`.
    let file: Int
    let range: Range<Int>
    /// Whether it was compressed, or changed otherwise, on its way into the file.
    let isTransformed: Bool
  }

  /// An entry of the state dict, under the name that torch gives it: the keys that lead to it, joined by dots.
  struct Entry {
    enum Content {
      case tensor(DistributedTensor)
      /// Something that is no tensor, if it was written.
      case value(Stretch?)
    }

    let name: TensorName
    /// The first of the keys that lead to it, if there are several, and the others joined.
    let path: (root: String, rest: String)?
    let content: Content
  }

  private(set) var entries: [Entry] = []
  /// The files that stretches are in, by their paths from the folder.
  private(set) var files: [String] = []
  /// All stretches, with the names of their entries.
  private(set) var stretches: [(name: TensorName, stretch: Stretch)] = []
  /// The memory that reading took.
  let memory: Int

  /// What tells one chunk from another: its tensor and where it begins there.
  private struct Key: Hashable {
    let name: TensorName
    let offsets: [Int]?
  }

  private var places: [Key: Stretch] = [:]
  private var fileNumbers: [TensorName: Int] = [:]

  /// Reads the metadata.
  ///
  /// - Throws: `CheckpointError` if it is not what torch writes.
  init(_ file: any ByteSource) throws(CheckpointError) {
    let pickle = try Pickle(
      FileBytes(file: file, start: 0, count: file.size), base: 0, memory: Limits.metadataMemory)
    guard pickle.end == file.size else {
      throw CheckpointError(
        .malformed("\(file.size - pickle.end) bytes follow the pickle"), offset: pickle.end)
    }
    let heap = pickle.heap
    memory = heap.used
    guard let metadata = heap.described(pickle.root, as: "Metadata"),
      let items = heap.dictionary(metadata["state_dict_metadata"] ?? .none),
      let storage = heap.dictionary(metadata["storage_data"] ?? .none)
    else {
      throw CheckpointError(.malformed("the metadata does not say what torch writes into it"))
    }
    for index in stride(from: 0, to: storage.count - 1, by: 2) {
      try addPlace(storage[index], storage[index + 1], heap)
    }
    let paths = heap.dictionary(metadata["planner_data"] ?? .none) ?? []
    var roots: [TensorName: (root: String, rest: String)] = [:]
    for index in stride(from: 0, to: paths.count - 1, by: 2) {
      guard let name = heap.string(paths[index]), let keys = heap.elements(paths[index + 1]),
        keys.count > 1, let root = heap.string(keys[keys.startIndex]),
        name.utf8.starts(with: "\(root).".utf8), name.utf8.count > root.utf8.count + 1,
        let rest = String(name.utf8.dropFirst(root.utf8.count + 1))
      else { continue }
      roots[TensorName(name)] = (root, rest)
    }
    guard items.count / 2 <= Limits.tensors else {
      throw CheckpointError(
        .limitExceeded("the number of tensors", limit: Limits.tensors, found: items.count / 2))
    }
    entries.reserveCapacity(items.count / 2)
    for index in stride(from: 0, to: items.count - 1, by: 2) {
      guard let text = heap.string(items[index]) else {
        throw CheckpointError(.malformed("the name of a tensor is no text"))
      }
      let name = TensorName(text)
      do throws(CheckpointError) {
        entries.append(
          Entry(name: name, path: roots[name], content: try content(name, items[index + 1], heap)))
      } catch {
        var error = error
        error.tensor = name
        throw error
      }
    }
    places = [:]
  }

  private static let notTorchs = CheckpointError(
    .malformed("what describes it is not what torch writes"))

  /// Takes note of where something lies: `MetadataIndex`, `_StorageInfo`.
  private mutating func addPlace(
    _ key: PickleValue, _ value: PickleValue, _ heap: PickleHeap
  ) throws(CheckpointError) {
    guard let index = heap.described(key, as: "MetadataIndex"),
      let name = index["fqn"].flatMap({ heap.string($0) })
    else { throw CheckpointError(.malformed("a place is not of anything")) }
    do throws(CheckpointError) {
      guard let info = heap.described(value, as: "_StorageInfo"),
        let file = info["relative_path"].flatMap({ heap.string($0) }),
        case .int(let offset)? = info["offset"], case .int(let length)? = info["length"],
        offset >= 0, length >= 0, let end = offset.addedIfFits(length)
      else { throw Self.notTorchs }
      let start = index["offset"] ?? .none
      let offsets = start == .none ? nil : heap.extents(start)
      guard start == .none || offsets != nil else { throw Self.notTorchs }
      let transforms = heap.elements(info["transform_descriptors"] ?? .none) ?? []
      let number = fileNumbers[TensorName(file)] ?? files.count
      if number == files.count {
        fileNumbers[TensorName(file)] = number
        files.append(file)
      }
      let stretch = Stretch(file: number, range: offset..<end, isTransformed: !transforms.isEmpty)
      let place = Key(name: TensorName(name), offsets: offsets)
      guard places.updateValue(stretch, forKey: place) == nil else {
        throw CheckpointError(.malformed("has a chunk that lies in two places"))
      }
      stretches.append((place.name, stretch))
    } catch {
      var error = error
      error.tensor = error.tensor ?? TensorName(name)
      throw error
    }
  }

  private func content(
    _ name: TensorName, _ value: PickleValue, _ heap: PickleHeap
  ) throws(CheckpointError) -> Entry.Content {
    if heap.described(value, as: "BytesStorageMetadata") != nil {
      return .value(places[Key(name: name, offsets: nil)])
    }
    guard let tensor = heap.described(value, as: "TensorStorageMetadata"),
      let properties = heap.call(tensor["properties"] ?? .none),
      let dtype = heap.elements(properties.state)?.first.flatMap({ heap.name($0) }),
      let shape = tensor["size"].flatMap({ heap.extents($0) }),
      let list = tensor["chunks"].flatMap({ heap.elements($0) })
    else { throw Self.notTorchs }
    guard let element = TorchElement(dtype: dtype) else {
      throw CheckpointError(.unsupported("its type \(abridged(dtype, to: 240)) is not known"))
    }
    try Limits.check(name: name, rank: shape.count, offset: 0)
    var chunks: [DistributedTensor.Chunk] = []
    chunks.reserveCapacity(list.count)
    for item in list {
      guard let chunk = heap.described(item, as: "ChunkStorageMetadata"),
        let offsets = chunk["offsets"].flatMap({ heap.extents($0) }),
        let sizes = chunk["sizes"].flatMap({ heap.extents($0) })
      else { throw Self.notTorchs }
      // What has no elements need not be anywhere.
      if sizes.contains(0) { continue }
      let place =
        places[Key(name: name, offsets: offsets)]
        ?? (list.count == 1 ? places[Key(name: name, offsets: nil)] : nil)
      guard let place else {
        throw CheckpointError(
          .malformed("the chunk at \(describe(shape: offsets)) is in no file"))
      }
      chunks.append(DistributedTensor.Chunk(offsets: offsets, sizes: sizes, place: place))
    }
    return .tensor(try DistributedTensor(element: element, shape: shape, chunks: chunks))
  }
}

extension DistributedMetadata {
  /// The dictionary around the weights.
  struct Wrapper {
    private let root: String
    /// How many tensors are in it.
    fileprivate(set) var count = 0

    fileprivate init(_ root: String) { self.root = root }

    /// What is left out of their names.
    var prefix: String { root + "." }

    /// The name without it; `nil` of what is not in it.
    func name(of entry: Entry) -> TensorName? {
      guard let path = entry.path, path.root == root else { return nil }
      return TensorName(path.rest)
    }
  }

  /// The dictionary that has all weights, if there is one beside what trainers keep: as in a file that torch.save wrote.
  var wrapper: Wrapper? {
    var found: Wrapper?
    for entry in entries {
      guard case .tensor(let tensor) = entry.content else { continue }
      let root = entry.path?.root ?? entry.name.text
      if entry.path != nil, TrainerKeys.weights.contains(root) {
        if let found, found.prefix != root + "." { return nil }
        found = found ?? Wrapper(root)
        found?.count += 1
      } else if !TrainerKeys.isState(root), !tensor.shape.isEmpty {
        return nil
      }
    }
    return found
  }
}

extension PickleHeap {
  /// What an object of torch.distributed says about itself, by name; `nil` if it is none of that class.
  fileprivate func described(_ value: PickleValue, as type: String) -> [String: PickleValue]? {
    guard let call = call(value), let name = name(call.function),
      name.hasPrefix("torch.distributed."), name.hasSuffix("." + type)
    else { return nil }
    let pairs = pairs(call.state) ?? []
    guard pairs.count <= 64 else { return nil }
    var facts: [String: PickleValue] = [:]
    for index in stride(from: 0, to: pairs.count - 1, by: 2) {
      if let key = string(pairs[index]) { facts[key] = pairs[index + 1] }
    }
    return facts
  }
}
