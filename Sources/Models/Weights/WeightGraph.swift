public import TensorCore

/// The weights of a checkpoint under the paths that its architecture declares.
///
/// Every slot has a place in a stored tensor, its own or the one it is tied to, or numbers that its origin
/// gives; and every tensor of the checkpoint is used or accounted for in `dropped`. Nothing is read from
/// a tensor until a stage asks for it.
public struct WeightGraph: Sendable {
  /// A tensor, or a part of one, that stands for no weight.
  public struct Dropped: Sendable {
    /// The tensor's name in the checkpoint.
    public let name: TensorName
    /// Why it may be dropped: what it was checked to be.
    public let reason: String
    /// Whether it is no part of the model that we know, and left out because that was asked for.
    public var isExtra = false
    /// Whether it is the state of an optimiser or a counter of steps, and left out because that was asked for.
    public var isTrainingState = false
  }

  /// Where a weight is stored.
  struct Placement: Sendable {
    /// The stored tensor.
    let stored: Tensor
    /// The weight in it.
    let piece: Piece
    /// How it is laid out, in words; empty if as it is.
    let layout: String
    /// Whether it is in the checkpoint, and not made because the checkpoint leaves it out.
    var isStored = true
  }

  /// The config, under Hugging Face's keys.
  public let config: JSONValue
  /// What the architecture has read from the config.
  public let facts: [ConfigFact]
  /// The keys of the config that neither the architecture nor anybody else knows.
  public let unknownKeys: [String]
  /// Keys of which nothing was taken although they seem to say something: misspelt ones, and nulls.
  public let doubtfulKeys: [DoubtfulKey]
  /// The mathematics.
  public private(set) var architecture: any Architecture
  /// How the checkpoint names and lays out the weights.
  public let dialect: Dialect
  /// The declared modules.
  public private(set) var root: ModuleNode
  /// The declared weights that the checkpoint has, in the order of the computation: without passengers
  /// that it does not store, and without constants that nothing reads.
  public private(set) var slots: [WeightSlot]
  /// What layers say of themselves, by the paths of their modules.
  public let layers: [String: LayerFact]
  /// The slots that are tied, and to which.
  public private(set) var ties: [String: String]
  /// What was left out.
  public private(set) var dropped: [Dropped]
  /// The weights that are stored nowhere because they are zero.
  public private(set) var zeroed: [String]

  /// What is no part of the model that we know, and was left out because that was asked for.
  public var extras: [Dropped] { dropped.filter(\.isExtra) }

  private(set) var placements: [String: Placement]
  /// How it was to be understood, the families among which included.
  let options: RecognitionOptions
  private var slotsByPath: [String: WeightSlot]
  /// The modules that make vectors of texts of its hidden states.
  private(set) var sentences: SentenceHead?
  /// How many of the slots, the first ones, are the architecture's own.
  private(set) var ownSlotCount: Int

  /// The same weights under another mathematics, which declares the same.
  public func computing(_ architecture: any Architecture) -> WeightGraph {
    var graph = self
    graph.architecture = architecture
    return graph
  }

  /// A graph of what was read, declared and placed.
  init(
    _ reading: ConfigReader, _ architecture: any Architecture, _ dialect: Dialect,
    _ declared: Declared, _ placing: Placing,
    options: RecognitionOptions
  ) {
    config = reading.config
    facts = reading.facts
    unknownKeys = reading.unknownKeys
    doubtfulKeys = reading.doubtfulKeys
    self.architecture = architecture
    self.dialect = dialect
    (root, slots, layers) = (declared.root, declared.slots, declared.layers)
    ties = placing.ties
    dropped = placing.dropped
    zeroed = placing.zeroed
    placements = placing.placements
    self.options = options
    slotsByPath = Dictionary(slots.map { ($0.path, $0) }) { first, _ in first }
    ownSlotCount = slots.count
  }

  /// The modules that make vectors of texts of its hidden states, if there are some.
  public var sentenceStack: SentenceStack? { sentences?.stack }

  /// The slots of the architecture, without those of modules on it.
  var ownSlots: [WeightSlot] { Array(slots.prefix(ownSlotCount)) }

  /// The same graph with modules on it.
  func adding(
    _ declared: Declared, _ placements: [String: Placement], _ head: SentenceHead
  ) -> WeightGraph {
    var graph = self
    graph.sentences = head
    graph.slots += declared.slots
    graph.root = ModuleNode(
      name: root.name, kind: root.kind, modules: root.modules + declared.root.modules,
      slots: root.slots)
    for slot in declared.slots { graph.slotsByPath[slot.path] = slot }
    graph.placements.merge(placements) { own, _ in own }
    return graph
  }

  /// The families whose dialects it can be written in.
  package var families: [Family] { options.families }

  /// Everything that changes what the model computes and does not show in its weights' shapes, with
  /// synonyms normalised: one pair for each fact. It is part of the model's id.
  public var mathematics: [(key: String, value: String)] {
    facts.compactMap { fact in fact.name.map { ($0, fact.text) } }
      + (sentences?.stack.mathematics ?? [])
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
    var graph = self
    graph.placements = Dictionary(found) { first, _ in first }
    (graph.ties, graph.dropped, graph.zeroed) = ([:], [], [])
    return graph
  }

  /// This graph with the weights at `paths` taken from another one of the same architecture.
  public func replacing(_ paths: Set<String>, by other: WeightGraph) -> WeightGraph {
    var graph = self
    for path in paths {
      guard let placement = other.placement(at: path) else { continue }
      graph.placements[path] = placement
      graph.ties[path] = nil
    }
    return graph
  }

  /// This graph with other weights in place of some, in canonical layout.
  ///
  /// - Precondition: each has the shape of its slot.
  public func replacing(_ weights: [String: Tensor]) -> WeightGraph {
    var graph = self
    for (path, tensor) in weights {
      let whole = Arrangement(weight: path, shape: tensor.shape).pieces[0].piece
      graph.placements[path] = Placement(stored: tensor, piece: whole, layout: "")
      graph.ties[path] = nil
    }
    return graph
  }
}

extension WeightGraph {
  /// What the attention module at a path is, if it is one.
  public func attention(at module: String) -> AttentionShape? {
    if case .attention(let shape) = layers[module] { shape } else { nil }
  }

  /// The attention that a weight is a part of, and which one: of `…attention.key.bias`, `key`.
  public func attention(ofWeight path: String) -> (shape: AttentionShape, part: String)? {
    let parts = path.split(separator: ".")
    guard parts.count > 2, let shape = attention(at: parts.dropLast(2).joined(separator: "."))
    else { return nil }
    return (shape, String(parts[parts.count - 2]))
  }

  /// What a weight's rows (of an output, columns) are in its attention layer, if they are those of heads.
  public func headPart(ofWeight path: String) -> HeadPart? {
    let parts = path.split(separator: ".")
    guard parts.count > 2 else { return nil }
    return layers[parts.dropLast(2).joined(separator: ".")]?
      .headPart(String(parts[parts.count - 2]))
  }

  /// The changes of weights that change no output.
  public var symmetries: [Symmetry] {
    let paths = Set(slots.map(\.path))
    return layers.sorted { $0.key < $1.key }.flatMap { path, fact in
      fact.symmetries(at: path, among: paths)
    }
  }
}

extension WeightGraph.Placement {
  /// A tensor that is a weight as it is.
  init(_ tensor: Tensor, at slot: WeightSlot) {
    let whole = Arrangement(weight: slot.path, shape: slot.shape).pieces[0].piece
    self.init(stored: tensor, piece: whole, layout: "")
  }

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
    stages(Float.self).map { stage in
      let paths = stage.declared.slots.map(\.path).filter { slotsByPath[$0] != nil }
      return (stage.name, paths + paths.compactMap { ties[$0] })
    }
  }
}
