import TensorCore

/// Something in a pickle beside its tensors.
struct PickleOther {
  /// Where it is, as tensors are named.
  let name: String
  /// What it is: a phrase without a verb.
  let what: String
}

/// What in a pickle is a tensor, and what one is made of.
protocol PickleLeaves {
  /// A tensor, described.
  associatedtype Entry

  /// What stands between the parts of a name.
  static var separator: String { get }
  /// Whether the name of a dictionary that has all weights is left out of theirs.
  static var leavesWrapperOut: Bool { get }

  /// Whether a value is a tensor, or one of a kind that is not read.
  func isTensor(_ value: PickleValue, in heap: PickleHeap) -> Bool

  /// Whether a value is a tensor without extents.
  func isNumber(_ value: PickleValue, in heap: PickleHeap) -> Bool

  /// The tensors that a value is: one, or with it what its numbers mean.
  ///
  /// - Throws: `CheckpointError` if it is none that is read.
  mutating func entries(
    _ value: PickleValue, _ name: String, in heap: PickleHeap
  ) throws(CheckpointError) -> [Entry]
}

/// The tensors that are in what a pickle describes, by the path that leads to them.
struct PickleTree<Leaves: PickleLeaves> {
  private(set) var entries: [Leaves.Entry] = []
  /// What else is there, as far as it is listed.
  private(set) var others: [PickleOther] = []
  /// How many of these there are.
  var otherCount: Int { others.count + work.unlistedCount }
  /// The dictionary around the weights, whose name has been left out of theirs.
  private(set) var wrapper: (name: String, count: Int)?
  /// What stands beside the weights about the model that they are of, and what it says.
  private(set) var modelArguments: (value: PickleValue, said: JSONValue)?
  /// What tensors are, and what was found out about them.
  private(set) var leaves: Leaves

  let heap: PickleHeap
  /// What is known of each object: whether a tensor is in it.
  private var states: [State]
  /// The dictionary whose name is left out.
  private var bare: PickleValue?
  /// What finding all paths takes: see `PickleTree+Parts`.
  var work = PickleWork(separator: Leaves.separator)

  private enum State: UInt8 { case unknown, isBeingLookedAt, hasNone, hasTensors }

  /// Follows all paths from the root.
  ///
  /// - Parameter name: what the root is called if it is a tensor itself.
  init(_ pickle: Pickle, name: String, _ leaves: Leaves) throws(CheckpointError) {
    heap = pickle.heap
    self.leaves = leaves
    states = [State](repeating: .unknown, count: heap.objects.count)
    lookForTensors(in: pickle.root)
    if isTensor(pickle.root) {
      try add(pickle.root, name)
      return
    }
    if Leaves.leavesWrapperOut {
      findWrapper(in: pickle.root)
      if modelArguments == nil { modelArguments = heap.trainedOptions(in: pickle.root) }
    }
    try walk(pickle.root)
  }

  // MARK: Where tensors are

  /// An object whose values are being looked at.
  private struct Visit {
    let object: Int
    let values: [PickleValue]
    var next = 0
  }

  /// Finds out, for every object that can be reached, whether a tensor is in it.
  private mutating func lookForTensors(in root: PickleValue) {
    var path: [Visit] = []
    enter(root, &path)
    while let last = path.last {
      if last.next < last.values.count {
        path[path.count - 1].next += 1
        enter(last.values[last.next], &path)
      } else {
        path.removeLast()
        let found = last.values.contains { holdsTensors($0) }
        states[last.object] = found ? .hasTensors : .hasNone
      }
    }
  }

  private mutating func enter(_ value: PickleValue, _ path: inout [Visit]) {
    guard case .object(let number) = value, states[Int(number)] == .unknown else { return }
    if isTensor(value) {
      states[Int(number)] = .hasTensors
    } else {
      states[Int(number)] = .isBeingLookedAt
      path.append(Visit(object: Int(number), values: heap.values(in: value)))
    }
  }

  private func isTensor(_ value: PickleValue) -> Bool {
    leaves.isTensor(value, in: heap)
  }

  func holdsTensors(_ value: PickleValue) -> Bool {
    guard case .object(let number) = value else { return false }
    return states[Int(number)] == .hasTensors
  }

  // MARK: The dictionary around the weights

  /// Finds the one dictionary that has all weights, if there is one beside what trainers keep.
  private mutating func findWrapper(in root: PickleValue) {
    guard let pairs = heap.dictionary(root) else { return }
    var found: (name: String, value: PickleValue)?
    for index in stride(from: 0, to: pairs.count - 1, by: 2) where holdsTensors(pairs[index + 1]) {
      let (name, value) = (heap.string(pairs[index]) ?? "", pairs[index + 1])
      if TrainerKeys.weights.contains(name), !isTensor(value), heap.dictionary(value) != nil {
        if found != nil { return }
        found = (name, value)
      } else if !TrainerKeys.isState(name), !leaves.isNumber(value, in: heap) {
        return
      }
    }
    guard let found else { return }
    bare = found.value
    wrapper = (found.name, 0)
    let keys = stride(from: 0, to: pairs.count - 1, by: 2)
    for (key, _) in TorchArguments.keys where modelArguments == nil {
      let named = keys.first { heap.string(pairs[$0]) == key }.map { pairs[$0 + 1] }
      if let named, let plain = heap.arguments(named) {
        modelArguments = (named, TorchArguments.said(plain, of: key))
      }
    }
  }

  // MARK: Paths

  private enum Step {
    case visit(PickleValue, name: String, depth: Int, isWrapped: Bool)
    case leave(Int)
  }

  private mutating func walk(_ root: PickleValue) throws(CheckpointError) {
    var path = [Step.visit(root, name: "", depth: 0, isWrapped: false)]
    var isOnPath = [Bool](repeating: false, count: states.count)
    while let step = path.popLast() {
      switch step {
      case .leave(let object): isOnPath[object] = false
      case .visit(let value, var name, let depth, var isWrapped):
        guard holdsTensors(value), case .object(let number) = value else {
          if depth != 1 || value != modelArguments?.value { list(value, name) }
          continue
        }
        if isTensor(value) {
          try add(value, name, isWrapped: isWrapped)
          continue
        }
        // What leads back to itself has been named already.
        if isOnPath[Int(number)] { continue }
        try checkDepth(depth)
        isOnPath[Int(number)] = true
        path.append(.leave(Int(number)))
        if depth == 1, value == bare { (name, isWrapped) = ("", true) }
        for part in try parts(of: value, name).reversed() {
          path.append(
            .visit(part.value, name: part.name, depth: depth + 1, isWrapped: isWrapped))
        }
      }
    }
  }

  private func checkDepth(_ depth: Int) throws(CheckpointError) {
    guard depth < Limits.pickleDepth else {
      throw CheckpointError(
        .limitExceeded("the depth of lists in lists", limit: Limits.pickleDepth, found: depth + 1))
    }
  }

  private mutating func add(
    _ value: PickleValue, _ name: String, isWrapped: Bool = false
  ) throws(CheckpointError) {
    let count = entries.count
    entries += try leaves.entries(value, name, in: heap)
    if isWrapped { wrapper?.count += entries.count - count }
    guard entries.count <= Limits.tensors else {
      throw CheckpointError(
        .limitExceeded("the number of tensors", limit: Limits.tensors, found: entries.count))
    }
    try Limits.check(name: TensorName(name), rank: 0, offset: 0)
  }

  /// Takes note of a tensor that its module does not save, and of where its numbers stand.
  mutating func setAside(_ value: PickleValue, _ name: String) throws(CheckpointError) {
    do throws(CheckpointError) {
      _ = try leaves.entries(value, name, in: heap)
    } catch  where error.category == .unsupported {
      // It is not needed.
    }
    guard others.count < Limits.reportedFaults else { return }
    others.append(
      PickleOther(name: abridged(name, to: 240), what: "a buffer that its module does not save"))
  }

  /// Takes note of something that is no tensor, and has none in it.
  private mutating func list(_ value: PickleValue, _ name: String) {
    guard others.count < Limits.reportedFaults else { return }
    let shown = name.isEmpty ? "the whole of it" : abridged(name, to: 240)
    others.append(PickleOther(name: shown, what: heap.words(for: value)))
  }
}

/// What trainers call what they save beside each other.
enum TrainerKeys {
  /// The dictionary with the weights.
  static let weights: Set<String> = [
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "params",
    "weights",
  ]

  /// Whether it is no weight, by its name.
  static func isState(_ name: String) -> Bool {
    let parts = ["optim", "sched", "scaler", "rng", "random", "callback", "loop"]
    let name = name.lowercased()
    return parts.contains { name.contains($0) }
  }
}
