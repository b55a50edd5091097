import Models
public import TensorCore

/// The tensors of a checkpoint as a tree of the parts of their names, for models that nobody knows.
public struct NameTree: Sendable {
  /// The part of the name, or several alike: `0…11`.
  public let name: String
  /// How many parts this stands for.
  public private(set) var count = 1
  /// The tensor that is called so, if there is one; of several, the first.
  public private(set) var tensor: Tensor?
  /// What comes after it in names.
  public private(set) var children: [NameTree] = []

  /// The tree of tensors whose names have parts between dots or slashes.
  ///
  /// - Parameter collapses: whether neighbours that differ in their numbers only are drawn once.
  public init(_ tensors: [Tensor], collapses: Bool = true) {
    self.init(
      name: "", tensors.map { ($0.name.text.split { $0 == "." || $0 == "/" }[...], $0) },
      collapses: collapses)
  }

  private init(
    name: String, _ tensors: [(rest: ArraySlice<Substring>, tensor: Tensor)], collapses: Bool
  ) {
    self.name = name
    var groups: [String: [(rest: ArraySlice<Substring>, tensor: Tensor)]] = [:]
    var order: [String] = []
    for (rest, tensor) in tensors {
      guard let first = rest.first.map(String.init) else {
        self.tensor = self.tensor ?? tensor
        continue
      }
      if groups[first] == nil { order.append(first) }
      groups[first, default: []].append((rest.dropFirst(), tensor))
    }
    children = order.map { NameTree(name: $0, groups[$0] ?? [], collapses: collapses) }
    if collapses {
      sortNumbers()
      collapse()
    }
  }

  /// How many elements there are in it and below, in all parts that it stands for.
  public var elementCount: Int { count * oneElementCount }

  /// How many elements there are in one of the parts that it stands for.
  public var oneElementCount: Int {
    (tensor?.elementCount ?? 0) + children.reduce(0) { $0 + $1.elementCount }
  }

  /// Puts children that differ in their numbers only behind the first of them, by their numbers: many
  /// files have 10 before 2.
  private mutating func sortNumbers() {
    let groups = Dictionary(grouping: children) { withoutNumbers($0.name) }
    var seen: Set<String> = []
    children = children.flatMap { child -> [NameTree] in
      let pattern = withoutNumbers(child.name)
      guard seen.insert(pattern).inserted else { return [] }
      return (groups[pattern] ?? []).sorted {
        numbers(in: $0.name).lexicographicallyPrecedes(numbers(in: $1.name))
      }
    }
  }

  /// Joins children that differ in their numbers only.
  private mutating func collapse() {
    var result: [NameTree] = []
    var places: [String: Int] = [:]
    var lasts: [Int: NameTree] = [:]
    for child in children {
      let pattern = withoutNumbers(child.name)
      if pattern != child.name, let place = places[pattern], let last = lasts[place],
        last.isAlike(child)
      {
        lasts[place] = child
        result[place].count += 1
      } else {
        places[pattern] = result.count
        lasts[result.count] = child
        result.append(child)
      }
    }
    children = result.enumerated().map { place, child in
      guard child.count > 1, let last = lasts[place] else { return child }
      return child.renamed("\(child.name)…\(last.name)")
    }
  }

  private func renamed(_ name: String) -> NameTree {
    var copy = NameTree(name: name, [], collapses: false)
    copy.count = count
    copy.tensor = tensor
    copy.children = children
    return copy
  }

  private func isAlike(_ other: NameTree) -> Bool {
    tensor?.shape == other.tensor?.shape && tensor?.dtype == other.tensor?.dtype
      && children.count == other.children.count
      && zip(children, other.children).allSatisfy {
        $0.name == $1.name && $0.count == $1.count && $0.isAlike($1)
      }
  }
}

/// The numbers in a name, in order.
private func numbers(in name: String) -> [Int] {
  name.split { !$0.isASCII || !$0.isNumber }.compactMap { Int($0) }
}
