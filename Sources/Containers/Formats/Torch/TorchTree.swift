import TensorCore

/// The tensors that a pickle of torch's describes.
typealias TorchTree = PickleTree<TorchStorages>

extension PickleTree where Leaves == TorchStorages {
  /// Follows all paths from the root.
  ///
  /// - Parameter name: what the root is called if it is a tensor itself.
  init(_ pickle: Pickle, name: String) throws(CheckpointError) {
    try self.init(pickle, name: name, TorchStorages())
  }

  /// The storages that the tensors lie in.
  var storages: TorchStorages { leaves }
}

extension TorchStorages: PickleLeaves {
  static let separator = "."
  static let leavesWrapperOut = true

  func isTensor(_ value: PickleValue, in heap: PickleHeap) -> Bool {
    switch TorchMeaning(value, in: heap) {
    case .tensor, .unread, .storage: true
    case .parts: false
    }
  }

  /// A loss, a step.
  func isNumber(_ value: PickleValue, in heap: PickleHeap) -> Bool {
    guard case .tensor(_, let arguments) = TorchMeaning(value, in: heap),
      let values = heap.fewElements(arguments), values.count > 2
    else { return false }
    return heap.elements(values[2])?.isEmpty == true
  }

  mutating func entries(
    _ value: PickleValue, _ name: String, in heap: PickleHeap
  ) throws(CheckpointError) -> [TorchEntry] {
    switch TorchMeaning(value, in: heap) {
    case .tensor(let function, let arguments):
      return try entries(name, function, arguments, in: heap)
    case .storage(let id): return [try entry(name, storage: id, in: heap)]
    case .unread(let words):
      throw CheckpointError(
        .unsupported("is \(words), which is not read"), tensor: TensorName(name))
    case .parts: return []
    }
  }
}
