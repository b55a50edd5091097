public import TensorCore

/// The weights of a checkpoint under the paths that its architecture declares.
///
/// Every declared slot has a place in a stored tensor, its own or the one it is tied to, and every
/// tensor of the checkpoint is used or accounted for in `dropped`. Nothing is read from a tensor
/// until a stage asks for it.
public struct WeightGraph: Sendable {
  /// A tensor, or a part of one, that stands for no weight.
  public struct Dropped: Sendable {
    /// The tensor's name in the checkpoint.
    public let name: TensorName
    /// Why it may be dropped: what it was checked to be.
    public let reason: String
  }

  /// Where a weight is stored.
  struct Placement: Sendable {
    /// The stored tensor.
    let stored: Tensor
    /// The weight in it.
    let piece: Piece
    /// How it is laid out, in words; empty if as it is.
    let layout: String
  }

  /// The config, under Hugging Face's keys.
  public let config: JSONValue
  /// The mathematics.
  public let architecture: any Architecture
  /// How the checkpoint names and lays out the weights.
  public let dialect: Dialect
  /// The declared modules.
  public let root: ModuleNode
  /// The declared weights, in the order of the computation.
  public let slots: [WeightSlot]
  /// The slots that are tied, and to which.
  public let ties: [String: String]
  /// What was left out.
  public let dropped: [Dropped]
  /// The weights that are stored nowhere because they are zero.
  public let zeroed: [String]

  let placements: [String: Placement]
  /// The families whose dialects it can be written in.
  let families: [Family]
  private let slotsByPath: [String: WeightSlot]

  init(
    config: JSONValue, architecture: any Architecture, dialect: Dialect, root: ModuleNode,
    slots: [WeightSlot],
    placements: [String: Placement], ties: [String: String], dropped: [Dropped], zeroed: [String],
    families: [Family]
  ) {
    self.config = config
    self.architecture = architecture
    self.dialect = dialect
    self.root = root
    self.slots = slots
    self.placements = placements
    self.ties = ties
    self.dropped = dropped
    self.zeroed = zeroed
    self.families = families
    slotsByPath = Dictionary(slots.map { ($0.path, $0) }) { first, _ in first }
  }

  /// Where a slot's weight is stored, or that of the slot it is tied to.
  func placement(at path: String) -> Placement? {
    placements[path] ?? ties[path].flatMap { placements[$0] }
  }

  /// The weight of a slot in canonical layout, under the name of the tensor that stores it.
  public func tensor(at path: String) -> Tensor? {
    guard let placement = placement(at: path), let slot = slotsByPath[path] else { return nil }
    return placement.weight(shape: slot.shape)
  }

  /// The number of parameters, tied ones counted once.
  public var parameterCount: Int {
    slots.reduce(0) { $0 + (ties[$1.path] == nil ? $1.parameterCount : 0) }
  }

  /// This graph's mathematics with the weights of another.
  ///
  /// - Precondition: the other graph has a weight of the same shape for every slot.
  public func withWeights(of other: WeightGraph) -> WeightGraph {
    let found = slots.compactMap { slot in other.placement(at: slot.path).map { (slot.path, $0) } }
    return WeightGraph(
      config: config, architecture: architecture, dialect: dialect, root: root, slots: slots,
      placements: Dictionary(uniqueKeysWithValues: found), ties: [:], dropped: [], zeroed: [],
      families: families)
  }
}

extension WeightGraph {
  /// This graph with the weights at `paths` taken from another one of the same architecture.
  public func replacing(_ paths: Set<String>, by other: WeightGraph) -> WeightGraph {
    var placements = placements
    var ties = ties
    for path in paths {
      guard let placement = other.placement(at: path) else { continue }
      placements[path] = placement
      ties[path] = nil
    }
    return WeightGraph(
      config: config, architecture: architecture, dialect: dialect, root: root, slots: slots,
      placements: placements, ties: ties, dropped: dropped, zeroed: zeroed,
      families: families)
  }
}

extension WeightGraph {
  /// This graph with other weights in place of some, in canonical layout.
  ///
  /// - Precondition: each has the shape of its slot.
  public func replacing(_ weights: [String: Tensor]) -> WeightGraph {
    var (placements, ties) = (placements, ties)
    for (path, tensor) in weights {
      let whole = Arrangement(weight: path, shape: tensor.shape).pieces[0].piece
      placements[path] = Placement(stored: tensor, piece: whole, layout: "")
      ties[path] = nil
    }
    return WeightGraph(
      config: config, architecture: architecture, dialect: dialect, root: root, slots: slots,
      placements: placements, ties: ties, dropped: dropped, zeroed: zeroed,
      families: families)
  }
}

extension WeightGraph.Placement {
  /// The weight in canonical layout.
  func weight(shape: [Int]) -> Tensor {
    let bytes = stored.bytes.moved(
      Move(reading: piece), stored.dtype, count: shape.reduce(1, *))
    return Tensor(name: stored.name, dtype: stored.dtype, shape: shape, bytes: bytes)
  }
}

extension WeightGraph {
  /// The paths of the weights that each stage asks for, in the order of the computation. A weight
  /// that several stages share is there for each.
  public var weightsByStage: [(stage: String, paths: [String])] {
    architecture.stages(Float.self).map { stage in
      let declaration = Declaration()
      // Declaring reads nothing, so nothing can fail.
      _ = try? stage.load(WeightScope<Float>(visitor: declaration))
      let paths = declaration.slots.map(\.path)
      return (stage.name, paths + paths.compactMap { ties[$0] })
    }
  }
}
