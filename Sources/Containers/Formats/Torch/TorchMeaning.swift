import TensorCore

/// What a value in a pickle of torch's stands for.
///
/// The names of classes and functions that are known are here; whatever has another name is an object of
/// which nothing is known, but that tensors may be in it.
enum TorchMeaning {
  /// A tensor: the function that torch would call, and its arguments.
  case tensor(function: String, arguments: PickleValue)
  /// A tensor of a kind that is not read.
  case unread(String)
  /// A whole storage.
  case storage(id: PickleValue)
  /// Something that other values may be in.
  case parts

  /// What the object of that number stands for, or `nil` if a plain value is looked at.
  init(_ value: PickleValue, in heap: PickleHeap) {
    if case .persistent(let id)? = heap.object(value) {
      let parts = heap.elements(id)
      self = parts?.first.flatMap { heap.string($0) } == "storage" ? .storage(id: id) : .parts
      return
    }
    guard let call = heap.call(value) else {
      self = .parts
      return
    }
    self.init(call.function, call.arguments, in: heap)
  }

  private init(_ function: PickleValue, _ arguments: PickleValue, in heap: PickleHeap) {
    var (function, arguments) = (function, arguments)
    // Wrappers in wrappers: a file may lead in a circle.
    for _ in 0..<16 {
      guard let name = heap.name(function) else { break }
      let values = heap.fewElements(arguments) ?? []
      switch name {
      case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_qtensor":
        self = .tensor(function: name, arguments: arguments)
        return
      case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_device_tensor_from_cpu_tensor", "torch.nn.parameter.Parameter",
        "torch.nn.parameter.Buffer":
        guard let inner = values.first, let call = heap.call(inner) else {
          self = .parts
          return
        }
        (function, arguments) = (call.function, call.arguments)
      case "torch._tensor._rebuild_from_type_v2", "torch._tensor._rebuild_from_type",
        "torch.tensor._rebuild_from_type":
        guard values.count >= 3 else {
          self = .parts
          return
        }
        (function, arguments) = (values[0], values[2])
      case "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_sparse_csr_tensor":
        self = .unread("a sparse tensor")
        return
      case "torch._utils._rebuild_nested_tensor":
        self = .unread("a nested tensor")
        return
      case "torch._utils._rebuild_meta_tensor_no_storage":
        self = .unread("a tensor without elements (of the device meta)")
        return
      default:
        self = .parts
        return
      }
    }
    self = .parts
  }
}

extension PickleHeap {
  /// What is in a value: of a call, its arguments and what it was given.
  func values(in value: PickleValue) -> [PickleValue] {
    switch object(value) {
    case .tuple, .list: return elements(value).map(Array.init) ?? []
    case .map(let pairs): return Self.everySecond(pairs)
    case .call(let number):
      let call = calls[Int(number)]
      return [call.arguments, call.state] + call.items + Self.everySecond(call.pairs)
    default: return []
    }
  }

  private static func everySecond(_ pairs: [PickleValue]) -> [PickleValue] {
    stride(from: 1, to: pairs.count, by: 2).map { pairs[$0] }
  }

  /// The values of a tuple or a list that has not more than a call of torch's.
  func fewElements(_ value: PickleValue) -> [PickleValue]? {
    elements(value).flatMap { $0.count <= 16 ? Array($0) : nil }
  }

  /// Dictionaries that do not change, which are made of one.
  private static let wrappedDictionaries: Set<String> = [
    "flax.core.frozen_dict.FrozenDict", "haiku._src.data_structures.FlatMap",
    "haiku._src.data_structures.FlatMapping", "haiku._src.data_structures.frozendict",
  ]

  /// Keys and values of what Python has as a dictionary: also one that is made of a list of pairs, as
  /// Python 2 writes an ordered one.
  func dictionary(_ value: PickleValue) -> [PickleValue]? {
    if let pairs = pairs(value) { return pairs }
    guard let call = call(value) else { return nil }
    if let name = name(call.function), Self.wrappedDictionaries.contains(name),
      let first = elements(call.arguments)?.first, let pairs = pairs(first)
    {
      return pairs
    }
    guard let name = name(call.function),
      ["collections.OrderedDict", "collections.defaultdict", "collections.Counter"].contains(name)
        || !call.pairs.isEmpty && call.state == .none
    else { return nil }
    guard name == "collections.OrderedDict", let first = elements(call.arguments)?.first,
      let list = elements(first)
    else { return call.pairs }
    return list.flatMap { item in
      let pair = elements(item) ?? []
      return pair.count == 2 ? Array(pair) : []
    } + call.pairs
  }
}
