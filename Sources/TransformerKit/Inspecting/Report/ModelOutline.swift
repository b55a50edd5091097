public import Models
import TensorCore

/// The parts of a model as a picture shows them: blocks that are alike stand for one another.
public struct ModelOutline: Sendable {
  /// A weight of a part.
  public struct Weight: Equatable, Sendable {
    /// The last part of its name.
    public let name: String
    /// The shape.
    public let shape: [Int]
    /// The path of the weight that it is tied to.
    public let tie: String?
  }

  /// The name, or several: `0…11`.
  public let name: String
  /// What it is, or empty.
  public let kind: String
  /// How many parts this stands for.
  public let times: Int
  /// The parameters of one of them, tied ones left out.
  public let parameters: Int
  /// Whether no output of the head depends on it.
  public let isUnused: Bool
  /// Its own weights.
  public let weights: [Weight]
  /// What is inside.
  public let parts: [ModelOutline]
  /// Whether `parts` are in the order of the computation.
  public let isOrdered: Bool

  /// The modules of a known model.
  public init(_ graph: WeightGraph) {
    self.init(graph.root, name: graph.root.name, times: 1, graph)
  }

  private init(_ node: ModuleNode, name: String, times: Int, _ graph: WeightGraph) {
    let slots = node.allSlots
    self.name = name
    kind = node.kind.rawValue
    self.times = times
    parameters = slots.reduce(0) { $0 + (graph.ties[$1.path] == nil ? $1.parameterCount : 0) }
    isUnused = !slots.isEmpty && slots.allSatisfy(\.isUnused)
    weights = node.slots.map { slot in
      Weight(
        name: slot.path.split(separator: ".").last.map(String.init) ?? slot.path,
        shape: slot.shape, tie: graph.ties[slot.path])
    }
    parts = runsOfAlike(node.modules).map { run in
      let name = run.count == 1 ? run[0].name : "\(run[0].name)…\(run[run.count - 1].name)"
      return ModelOutline(run[0], name: name, times: run.count, graph)
    }
    isOrdered = node.kind == .model || node.kind == .sequence || node.kind == .block
  }

  /// The parts of the names of an unknown model's tensors.
  public init(_ tree: NameTree, name: String) {
    self.name = name
    kind = ""
    times = tree.count
    parameters = tree.oneElementCount
    isUnused = false
    let own = tree.tensor.map { [Weight(name: "", shape: $0.shape, tie: nil)] } ?? []
    let leaves = tree.children.filter { $0.children.isEmpty && $0.count == 1 }
    weights = own + leaves.map { Weight(name: $0.name, shape: $0.tensor?.shape ?? [], tie: nil) }
    parts = tree.children.filter { !$0.children.isEmpty || $0.count > 1 }
      .map { ModelOutline($0, name: $0.name) }
    isOrdered = false
  }
}

/// Groups of modules that follow each other and are blocks that look alike.
package func runsOfAlike(_ modules: [ModuleNode]) -> [[ModuleNode]] {
  var groups: [[ModuleNode]] = []
  for module in modules {
    if let last = groups.last?.last, module.kind == .block, isAlike(last, module) {
      groups[groups.count - 1].append(module)
    } else {
      groups.append([module])
    }
  }
  return groups
}

private func isAlike(_ a: ModuleNode, _ b: ModuleNode) -> Bool {
  a.kind == b.kind && a.modules.count == b.modules.count && a.slots.count == b.slots.count
    && zip(a.slots, b.slots).allSatisfy { $0.shape == $1.shape && $0.role == $1.role }
    && zip(a.modules, b.modules).allSatisfy { $0.name == $1.name && isAlike($0, $1) }
}
