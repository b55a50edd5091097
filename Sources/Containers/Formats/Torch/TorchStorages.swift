import TensorCore

/// The storages that the tensors of a file lie in.
struct TorchStorages {
  /// One of them, as tensors speak of it.
  struct Storage: Equatable {
    /// Its name in the file.
    let key: TensorName
    /// What its elements are.
    let element: TorchElement
    /// How many it has.
    let count: Int

    /// The bytes that it has.
    var byteCount: Int { count * element.width }
  }

  /// A part of a storage: all of it, but in files of long ago.
  struct View: Equatable {
    /// Which storage.
    let number: Int
    /// What its elements are.
    let element: TorchElement
    /// Its bytes in the storage.
    let bytes: Range<Int>
  }

  /// All that were spoken of, in that order.
  private(set) var all: [Storage] = []
  private var numbers: [TensorName: Int] = [:]

  /// The number of the storage with that name.
  func number(of key: TensorName) -> Int? { numbers[key] }

  /// The storage, or the part of it, that a persistent id means:
  /// `("storage", class, key, location, count)`, and in old files what it is a view of.
  mutating func view(_ id: PickleValue, in heap: PickleHeap) throws(CheckpointError) -> View {
    guard let parts = heap.fewElements(id), (5...6).contains(parts.count),
      heap.string(parts[0]) == "storage", let key = heap.string(parts[2]),
      case .int(let count) = parts[4], count >= 0
    else { throw CheckpointError(.malformed("what stands for its storage is none")) }
    guard let name = heap.name(parts[1]), let element = TorchElement(storageClass: name) else {
      let name = heap.name(parts[1]).map { "\"\($0)\"" } ?? "something unknown"
      throw CheckpointError(.unsupported("its storage is of the class \(name), which is not known"))
    }
    guard count.multipliedIfFits(by: element.width) != nil else {
      throw CheckpointError(.overflow("the size of the storage \"\(key)\""))
    }
    let storage = Storage(key: TensorName(key), element: element, count: count)
    let number = numbers[storage.key] ?? all.count
    if number == all.count {
      numbers[storage.key] = number
      all.append(storage)
    }
    guard all[number] == storage else {
      throw CheckpointError(.malformed("the storage \"\(key)\" is described in two ways"))
    }
    let bytes = try Self.part(parts.count == 6 ? parts[5] : .none, of: storage, in: heap)
    return View(number: number, element: element, bytes: bytes)
  }

  /// What of a storage a view has: `(key, offset, count)`.
  private static func part(
    _ view: PickleValue, of storage: Storage, in heap: PickleHeap
  ) throws(CheckpointError) -> Range<Int> {
    if view == .none { return 0..<storage.byteCount }
    guard let parts = heap.fewElements(view), parts.count == 3,
      case .int(let offset) = parts[1], case .int(let count) = parts[2],
      offset >= 0, count >= 0, offset <= storage.count, count <= storage.count - offset
    else { throw CheckpointError(.malformed("its storage is a view of what is not there")) }
    let width = storage.element.width
    return offset * width..<(offset + count) * width
  }
}
