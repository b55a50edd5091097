import Kernels
public import Models
import TensorCore

/// What tells a member of the family from the others.
public protocol MixtralMember: Sendable {
  /// The name in `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var className: String { get }
  /// What it has classes for.
  static var heads: [CausalHead] { get }
  /// What its config need not say.
  static var defaults: MixtralDefaults { get }
  /// What its blocks have that others have not.
  static func variant(
    _ config: inout ConfigReader, _ sizes: DecoderSizes, _ gating: Gating
  ) -> MixtralVariant
}

extension MixtralMember {
  public static var heads: [CausalHead] {
    [.base, .languageModel, .sequenceClassification, .tokenClassification, .questionAnswering]
  }
}

/// What the config of a member need not say, where members differ.
public struct MixtralDefaults: Sendable {
  var sizes: DecoderSizes.Defaults
  var epsilon = 1e-6
  var theta = 10_000.0
  var positions = 32768
  var endTokens: [Int] = []
  var padToken: Int?
}

/// What blocks have that others have not.
public struct MixtralVariant: Sendable, Equatable {
  /// Whether queries, keys and values are projected with a bias, and the output.
  var inputBias = false
  var outputBias = false
  /// What of queries and keys is normalised together, if they are,
  var norm: QueryKeyNorm.Extent?
  /// and the bound of both, and of values, then.
  var bound: Double?
  /// How many keys a layer's queries see, their own included; `nil` for all.
  var windows: [Int?]
  var experts: ExpertsShape
  /// Which layers have experts. The others have one network.
  var hasExperts: [Bool]
}

/// Mixtral: arXiv 2401.04088. All layers have the same window, or none has one.
public enum MixtralOfExperts: MixtralMember {
  public static let name = "mixtral"
  public static let className = "Mixtral"
  public static let defaults = MixtralDefaults(
    sizes: .init(keyHeads: 8, feedForward: 14336), epsilon: 1e-5, theta: 1e6,
    positions: 4096 * 32, endTokens: [2])

  public static func variant(
    _ config: inout ConfigReader, _ sizes: DecoderSizes, _ gating: Gating
  ) -> MixtralVariant {
    let experts = config.expertCount("num_local_experts", or: "num_experts", default: 8)
    let active = config.activeExperts(default: 2)
    return MixtralVariant(
      windows: Array(repeating: config.window(default: nil, on: .outputs), count: sizes.layers),
      experts: ExpertsShape(
        routing: Routing(
          experts: experts, active: active, scoring: .softmax, isNormalised: true),
        hidden: sizes.feedForward, gating: gating),
      hasExperts: Array(repeating: true, count: sizes.layers))
  }
}

/// Qwen1.5-MoE and Qwen2-57B-A14B: arXiv 2407.10671, §2.2.2. A shared expert counts as much as its own gate
/// says.
public enum Qwen2MoE: MixtralMember {
  public static let name = "qwen2_moe"
  public static let className = "Qwen2Moe"
  public static let defaults = MixtralDefaults(
    sizes: .init(
      vocabulary: 151_936, width: 2048, layers: 24, heads: 16, keyHeads: 16, feedForward: 5632))

  public static func variant(
    _ config: inout ConfigReader, _ sizes: DecoderSizes, _ gating: Gating
  ) -> MixtralVariant {
    var experts = config.qwenExperts(gating, experts: 60, active: 4, hidden: 1408)
    experts.sharedHidden = config.count(
      "shared_expert_intermediate_size", default: 5632, on: .weights)
    experts.gatesShared = true
    return MixtralVariant(
      inputBias: config.flag("qkv_bias", default: true, on: .weights),
      windows: config.qwenWindows(layers: sizes.layers),
      experts: experts, hasExperts: config.sparseLayers(sizes.layers))
  }
}

/// Qwen3's models with experts: arXiv 2505.09388, §2.
public enum Qwen3MoE: MixtralMember {
  public static let name = "qwen3_moe"
  public static let className = "Qwen3Moe"
  public static let defaults = MixtralDefaults(
    sizes: .init(
      vocabulary: 151_936, width: 2048, layers: 24, heads: 32, keyHeads: 4, feedForward: 6144))

  public static func variant(
    _ config: inout ConfigReader, _ sizes: DecoderSizes, _ gating: Gating
  ) -> MixtralVariant {
    let experts = config.qwenExperts(gating, experts: 128, active: 8, hidden: 768)
    let bias = config.flag("attention_bias", default: false, on: .weights)
    // The window is that of all layers, from whichever on configs say.
    config.disregard(["max_window_layers"])
    let isUsed = config.flag("use_sliding_window", default: false, on: .nothing)
    let window = config.window(default: 4096, on: isUsed ? .outputs : .nothing)
    return MixtralVariant(
      inputBias: bias, outputBias: bias, norm: .heads,
      windows: Array(repeating: isUsed ? window : nil, count: sizes.layers),
      experts: experts, hasExperts: config.sparseLayers(sizes.layers))
  }
}

/// OLMoE: arXiv 2409.02060. Queries and keys are normalised over all heads, and bounded.
public enum OLMoE: MixtralMember {
  public static let name = "olmoe"
  public static let className = "Olmoe"
  public static let heads: [CausalHead] = [.base, .languageModel]
  public static let defaults = MixtralDefaults(
    sizes: .init(vocabulary: 50304, width: 2048, layers: 16, heads: 16, feedForward: 2048),
    epsilon: 1e-5, positions: 4096, endTokens: [50279], padToken: 1)

  public static func variant(
    _ config: inout ConfigReader, _ sizes: DecoderSizes, _ gating: Gating
  ) -> MixtralVariant {
    let bias = config.flag("attention_bias", default: false, on: .weights)
    let experts = config.expertCount("num_experts", or: "num_local_experts", default: 64)
    let active = config.activeExperts(default: 8)
    return MixtralVariant(
      inputBias: bias, outputBias: bias, norm: .whole,
      bound: config.optionalPositive("clip_qkv", usual: [6, 8, 10]),
      windows: Array(repeating: nil, count: sizes.layers),
      experts: ExpertsShape(
        routing: Routing(
          experts: experts, active: active, scoring: .softmax,
          isNormalised: config.flag("norm_topk_prob", default: false)),
        hidden: sizes.feedForward, gating: gating),
      hasExperts: Array(repeating: true, count: sizes.layers))
  }
}

extension ConfigReader {
  /// How many keys a query sees, its own included; null for all. What is mistaken is usually whether its own
  /// counts.
  fileprivate mutating func window(
    default standard: Int?, minimum: Int = 1, on bearing: ConfigFact.Bearing
  ) -> Int? {
    let said = present("sliding_window")?.int ?? 4096
    let own = min(max(said, 1), Self.largestExtent)
    let near = [own - 1, own + 1].filter { (1...Self.largestExtent).contains($0) }
    return optionalCount(
      "sliding_window", default: isNull("sliding_window") ? nil : standard, minimum: minimum,
      usual: near + [4096], on: bearing)
  }

  /// The window of each layer, if windows are used at all: of the layers that are listed as sliding, else of
  /// every other one before `max_window_layers`. The list says all that outputs depend on.
  fileprivate mutating func qwenWindows(layers: Int) -> [Int?] {
    let isUsed = flag("use_sliding_window", default: false, on: .nothing)
    let first = count("max_window_layers", default: 28, minimum: 0, on: .nothing)
    let types = choices(
      "layer_types", of: LayerType.self, count: layers,
      default: (0..<layers).map { isUsed && $0.isMultiple(of: 2) && $0 < first ? .sliding : .full })
    let slides = types?.contains(.sliding) == true
    // transformers writes 0 where windows are not used.
    let window = window(default: 4096, minimum: slides ? 1 : 0, on: slides ? .outputs : .nothing)
    if slides && !isUsed {
      reject("layer_types has sliding_attention, but use_sliding_window is false")
    } else if slides && window == nil {
      reject("layers have sliding_attention, but sliding_window is null")
    }
    return (types ?? []).map { $0 == .full ? nil : window }
  }

  /// What the members of Qwen have in common.
  fileprivate mutating func qwenExperts(
    _ gating: Gating, experts: Int, active: Int, hidden: Int
  ) -> ExpertsShape {
    let experts = expertCount("num_experts", or: "num_local_experts", default: experts)
    let active = activeExperts(default: active)
    return ExpertsShape(
      routing: Routing(
        experts: experts, active: active, scoring: .softmax,
        isNormalised: flag("norm_topk_prob", default: false)),
      hidden: count("moe_intermediate_size", default: hidden, on: .weights), gating: gating)
  }

  /// Which layers have experts: those whose number, counted from one, is a multiple of `decoder_sparse_step`, but
  /// for those that are listed as dense.
  fileprivate mutating func sparseLayers(_ layers: Int) -> [Bool] {
    let step = count("decoder_sparse_step", default: 1, on: .weights)
    let dense = Set(tokens("mlp_only_layers", default: [], on: .weights))
    return (0..<layers).map { !dense.contains($0) && ($0 + 1).isMultiple(of: step) }
  }
}
