public import Models
import TensorCore

/// Where a model's parameters are, and what it keeps for each token.
public struct ModelSummary: Sendable {
  /// A part of the model.
  public struct Part: Sendable {
    /// The module's path.
    public let name: String
    /// What it is.
    public let kind: String
    /// Its parameters, tied ones left out.
    public let parameters: Int
    /// How many blocks it has, if it has some.
    public let blocks: Int
  }

  /// Attention layers that are alike.
  public struct AttentionLayers: Equatable, Sendable {
    /// Their heads, sizes, window, and whether they read another sequence.
    public let shape: AttentionShape
    /// How many there are.
    public internal(set) var count: Int
  }

  /// The bytes of keys and values, in the type in which most parameters are stored.
  public struct Cache: Equatable, Sendable {
    /// For each token of the text that grows, while no window is full.
    public let perToken: Int
    /// For the first 1,000 tokens: layers with a window keep no more than that.
    public let perThousandTokens: Int
    /// For each token of the encoder's text, which is read once.
    public let perEncoderToken: Int
    /// The type.
    public let dtype: String
  }

  /// Networks of which each position goes through a few.
  public struct Experts: Equatable, Sendable {
    /// How many there are in a layer that has some, at most.
    public let count: Int
    /// How many of them a position goes through, at most.
    public let active: Int
    /// In how many layers.
    public let layers: Int
    /// How many parameters of the model have a part in a position, tied ones counted once.
    public let activeParameters: Int
  }

  /// The parts, in the order of the computation.
  public let parts: [Part]
  /// The attention layers, in the order in which the first of a kind comes.
  public let attention: [AttentionLayers]
  /// How many positions a text may have, or should have at most; `nil` if the config does not say it.
  public let positions: Int?
  /// What is kept while a text grows; `nil` if the model does not continue texts.
  public let cache: Cache?
  /// `nil` if no layer has experts.
  public let experts: Experts?

  /// Sums a model up, without reading a weight.
  public init(_ graph: WeightGraph) {
    parts = graph.root.modules.map { module in
      Part(
        name: module.name, kind: module.kind.rawValue,
        parameters: Self.parameters(of: module, graph), blocks: Self.blocks(in: module))
    }
    attention = Self.attention(of: graph)
    positions = attention.isEmpty ? nil : graph.positions
    cache = Self.cache(of: graph)
    experts = Self.experts(of: graph)
  }

  private static func attention(of graph: WeightGraph) -> [AttentionLayers] {
    var layers: [AttentionLayers] = []
    for stage in graph.architecture.stages(Float.self) {
      for (_, fact) in stage.declared.layers.sorted(by: { $0.key < $1.key }) {
        guard let declared = fact.attention else { continue }
        var shape = declared
        shape.forgetScores()
        if let index = layers.firstIndex(where: { $0.shape == shape }) {
          layers[index].count += 1
        } else {
          layers.append(AttentionLayers(shape: shape, count: 1))
        }
      }
    }
    return layers
  }

  private static func parameters(of module: ModuleNode, _ graph: WeightGraph) -> Int {
    module.allSlots.reduce(0) { $0 + (graph.ties[$1.path] == nil ? $1.parameterCount : 0) }
  }

  private static func blocks(in module: ModuleNode) -> Int {
    module.modules.reduce(0) { $0 + ($1.kind == .block ? 1 : blocks(in: $1)) }
  }

  private static func experts(of graph: WeightGraph) -> Experts? {
    var (layers, count, active) = (0, 0, 0)
    var idle = graph.slots.reduce(0) { $0 + ($1.isUnused ? $1.parameterCount : 0) }
    let sizes = Dictionary(graph.slots.map { ($0.path, $0.parameterCount) }) { first, _ in first }
    for (path, fact) in graph.layers {
      guard case .experts(let shape) = fact else { continue }
      let routing = shape.routing
      layers += 1
      (count, active) = (max(count, routing.experts), max(active, routing.active))
      // They are alike, so the first one says how large each is.
      let each = ["gate", "up", "down"].flatMap { ["\($0).weight", "\($0).bias"] }
        .reduce(0) { $0 + (sizes["\(path).experts.0.\($1)"] ?? 0) }
      idle += (routing.experts - routing.active) * each
    }
    guard layers > 0 else { return nil }
    return Experts(
      count: count, active: active, layers: layers,
      activeParameters: graph.parameterCount - idle)
  }

  /// What the attention layers keep of each token, in stages that run again for every one.
  private static func cache(of graph: WeightGraph) -> Cache? {
    guard let rules = graph.architecture.generation, rules.reading == nil else { return nil }
    var (own, thousand, cross) = (0, 0, 0)
    for stage in graph.architecture.stages(Float.self) where !stage.runsOnce {
      for fact in stage.declared.layers.values {
        if case .latentAttention(_, let kept) = fact {
          own += kept
          thousand += kept * 1000
        }
        guard case .attention(let shape) = fact else { continue }
        let width = shape.keyHeads * (shape.headSize + shape.valueSize)
        if shape.isCross {
          cross += width
        } else {
          own += width
          thousand += width * min(shape.window ?? 1000, 1000)
        }
      }
    }
    var bytes: [DType: Int] = [:]
    for slot in graph.slots {
      guard let tensor = graph.tensor(at: slot.path) else { continue }
      bytes[tensor.dtype, default: 0] += tensor.byteCount
    }
    guard own > 0,
      let dtype = bytes.max(by: { ($0.value, $0.key.name) < ($1.value, $1.key.name) })?.key
    else { return nil }
    return Cache(
      perToken: dtype.byteCount(of: own), perThousandTokens: dtype.byteCount(of: thousand),
      perEncoderToken: dtype.byteCount(of: cross),
      dtype: dtype.name)
  }
}
