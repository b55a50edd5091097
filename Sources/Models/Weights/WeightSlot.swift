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
  /// Numbers that are the same in every model, which some files store and nothing reads.
  case constant = "constant"
}

/// A weight that an architecture declares.
public struct WeightSlot: Sendable {
  /// The canonical path, `encoder.blocks.3.attention.query.weight`.
  public let path: String
  /// The shape; a linear layer's is `[out, in]`.
  public let shape: [Int]
  /// What it is for.
  public let role: WeightRole
  /// What it is where it is not stored; without one, it must be.
  public let origin: WeightOrigin?
  /// Whether no output of the declared head depends on it.
  public let isUnused: Bool
  /// Whether it is never in memory as a whole, since it may be the largest.
  public let isReadByRows: Bool
  /// The path of the module with which it is read when that is used, if it is not read with its stage.
  public let deferral: String?

  package init(
    path: String, shape: [Int], role: WeightRole, origin: WeightOrigin? = nil,
    isUnused: Bool = false,
    isReadByRows: Bool = false, deferral: String? = nil
  ) {
    self.path = path
    self.shape = shape
    self.role = role
    self.origin = origin
    self.isUnused = isUnused
    self.isReadByRows = isReadByRows
    self.deferral = deferral
  }

  /// The path of the weight that this one equals unless it is stored separately.
  public var tie: String? {
    guard case .equal(let path) = origin else { return nil }
    return path
  }

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

  /// The same without what is not there: weights of other paths, and modules that are left without any.
  func keeping(_ paths: Set<String>) -> ModuleNode {
    ModuleNode(
      name: name, kind: kind,
      modules: modules.map { $0.keeping(paths) }.enumerated().filter { index, module in
        !module.allSlots.isEmpty || modules[index].allSlots.isEmpty
      }.map(\.element),
      slots: slots.filter { paths.contains($0.path) })
  }
}

/// The kinds of module.
public enum ModuleKind: String, Sendable {
  case model = "Model"
  case sequence = "Sequence"
  case block = "Block"
  case embedding = "Embedding"
  case linear = "Linear"
  case layerNorm = "LayerNorm"
  case rmsNorm = "RMSNorm"
  case attention = "Attention"
  case feedForward = "FeedForward"
  case experts = "Experts"
  case router = "Router"
  case head = "Head"
}
