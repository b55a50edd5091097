public import Kernels
public import Models

/// T5 with experts in some of its layers, of which each position goes through one, if that takes it. Fedus et al., arXiv
/// 2101.03961, §2. What it computes stands in models/switch_transformers/modeling_switch_transformers.py of transformers 5.
public enum SwitchTransformers: T5Member {
  public static let name = "switch_transformers"
  public static let className = "SwitchTransformers"
  public static let network = "mlp"
  public static let defaults = T5Defaults(
    vocabulary: 32128, width: 768, feedForward: 2048, layers: 12, decoderLayers: 12, heads: 12,
    projection: "relu", startToken: nil)
  public static let heads: [T5Head] = [.base, .conditionalGeneration, .encoder]
  public static let tiesAlways = false

  public static func head(
    _ config: inout ConfigReader, isLanguageModel: Bool
  ) -> (isScaled: Bool, expectsTies: Bool) {
    let isTied = config.flag(
      "tie_word_embeddings", default: true, on: isLanguageModel ? .outputs : .weights)
    return (isTied, isTied)
  }

  /// Never gated, whatever else a config says.
  public static func feedForward(
    _ config: inout ConfigReader
  ) -> (activation: Activation, isGated: Bool) {
    config.disregard(["feed_forward_proj", "is_gated_act"])
    return (config.activation("dense_act_fn", default: .relu), false)
  }

  public static func sparseLayers(
    _ config: inout ConfigReader, encoderLayers: Int, decoderLayers: Int, hidden: Int,
    activation: Activation
  ) -> SparseLayers? {
    let encoderStep = config.sparseStep("encoder", layers: encoderLayers)
    let decoderStep = config.sparseStep("decoder", layers: decoderLayers)
    let routing = Routing(
      experts: config.expertCount("num_experts", default: 8), active: 1, scoring: .softmax,
      hasBias: config.flag("router_bias", default: false, on: .weights),
      capacity: config.count("expert_capacity", default: 64, usual: [1, 2, 4, 64, 128]))
    config.require("router_dtype", "float32")
    config.disregard(withoutEffect)
    let sparse = SparseLayers(
      encoderStep: encoderStep, decoderStep: decoderStep,
      experts: ExpertsShape(
        routing: routing, hidden: hidden, gating: nil, activation: activation))
    config.checkExperts(
      routing,
      layers: sparse.count(of: encoderLayers, in: .encoder)
        + sparse.count(of: decoderLayers, in: .decoder))
    return sparse
  }

  /// Settings of training, and what transformers reads and does nothing with.
  private static let withoutEffect = [
    "router_jitter_noise", "router_z_loss_coef", "router_aux_loss_coef", "add_router_probs",
    "router_ignore_padding_tokens", "router_type", "batch_prioritized_routing",
    "num_selected_experts", "add_cross_attention",
  ]
}

/// Layers with experts among others.
public struct SparseLayers: Sendable, Equatable {
  /// How far they are apart in the encoder; 0 where none has experts.
  let encoderStep: Int
  /// And in the decoder.
  let decoderStep: Int
  let experts: ExpertsShape

  /// Whether a layer has experts: the second one, and every `step`-th from there; or every one.
  func has(_ layer: Int, of stack: Stack) -> Bool {
    let step = stack == .encoder ? encoderStep : decoderStep
    return step == 1 || step > 1 && layer % step == 1
  }

  /// How many of a stack's layers have experts.
  func count(of layers: Int, in stack: Stack) -> Int {
    (0..<layers).count { has($0, of: stack) }
  }

  /// As many positions of a text as all experts take: of more, some go through none.
  var reach: Int { experts.routing.experts * (experts.routing.capacity ?? 0) }
}

extension ConfigReader {
  /// How far a stack's layers with experts are apart: what transformers makes of their number, unless the config says it
  /// itself.
  fileprivate mutating func sparseStep(_ stack: String, layers: Int) -> Int {
    let sparse = count("num_sparse_\(stack)_layers", default: 3, minimum: 0, on: .weights)
    return count(
      "\(stack)_sparse_step", default: sparse > 0 ? layers / sparse : layers, minimum: 0,
      on: .weights)
  }
}
