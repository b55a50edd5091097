public import TensorCore

/// What a weight is for.
public enum WeightRole: String, Sendable {
  /// The matrix of a linear layer, `[out, in]`.
  case linear = "linear"
  /// What is added to a layer's product.
  case bias = "bias"
  /// A row for each id, position or type.
  case embedding = "embedding"
  /// The gain of a normalisation.
  case normWeight = "norm weight"
  /// The offset of a normalisation.
  case normBias = "norm bias"
}

/// A weight that an architecture declares.
public struct WeightSlot: Sendable {
  /// The canonical path, `encoder.blocks.3.attention.query.weight`.
  public let path: String
  /// The shape; a linear layer's is `[out, in]`.
  public let shape: [Int]
  /// What it is for.
  public let role: WeightRole
  /// The path of the weight that this one equals unless it is stored separately.
  public let tie: String?
  /// Whether no output of the declared head depends on it.
  public let isUnused: Bool

  /// How many numbers it has.
  public var parameterCount: Int { shape.reduce(1, *) }
}

/// A module of the weight graph: its name, what it is, and what stands under it.
public struct ModuleNode: Sendable {
  /// The last component of its path.
  public let name: String
  /// What it is.
  public let kind: ModuleKind
  /// The modules inside, in the order of the computation.
  public let modules: [ModuleNode]
  /// Its own weights.
  public let slots: [WeightSlot]

  /// All weights at and below this module.
  public var allSlots: [WeightSlot] { slots + modules.flatMap(\.allSlots) }
}

/// The kinds of module.
public enum ModuleKind: String, Sendable {
  case model = "Model"
  case sequence = "Sequence"
  case block = "Block"
  case embedding = "Embedding"
  case linear = "Linear"
  case layerNorm = "LayerNorm"
  case attention = "Attention"
  case feedForward = "FeedForward"
  case head = "Head"
}

/// The weights of a checkpoint under the paths that its architecture declares.
///
/// Every declared slot has a tensor, its own or the one it is tied to, and every tensor of the
/// checkpoint is used or accounted for in `dropped`. Nothing is read from a tensor until a stage
/// asks for it.
public struct WeightGraph: Sendable {
  /// A tensor of the checkpoint that stands for no weight.
  public struct Dropped: Sendable {
    /// The tensor's name in the checkpoint.
    public let name: TensorName
    /// Why it may be dropped: what it was checked to be.
    public let reason: String
  }

  /// The mathematics.
  public let architecture: any Architecture
  /// How the checkpoint names and lays out the weights.
  public let dialect: Dialect
  /// The declared modules.
  public let root: ModuleNode
  /// The declared weights, in the order of the computation.
  public let slots: [WeightSlot]
  /// The tensor of every slot that has its own, in canonical layout, by path.
  public let tensors: [String: Tensor]
  /// The slots that are tied, and to which.
  public let ties: [String: String]
  /// What was left out.
  public let dropped: [Dropped]

  /// The tensor that a slot has or is tied to.
  public func tensor(at path: String) -> Tensor? {
    tensors[path] ?? ties[path].flatMap { tensors[$0] }
  }

  /// The number of parameters, tied ones counted once.
  public var parameterCount: Int {
    slots.reduce(0) { $0 + (ties[$1.path] == nil ? $1.parameterCount : 0) }
  }
}

extension WeightGraph {
  /// This graph's mathematics with the weights of another.
  ///
  /// - Precondition: the other graph has a tensor of the same shape for every slot.
  public func withWeights(of other: WeightGraph) -> WeightGraph {
    let tensors = slots.compactMap { slot in
      other.tensor(at: slot.path).map { (slot.path, $0) }
    }
    return WeightGraph(
      architecture: architecture, dialect: dialect, root: root, slots: slots,
      tensors: Dictionary(uniqueKeysWithValues: tensors), ties: [:], dropped: [])
  }
}
