import Kernels
public import Models
import TensorCore

extension Family {
  /// gpt-oss and its dialects.
  package static let gptOSS = Family(
    members: [GPTOSS.self], dialects: [.huggingFaceGPTOSS, .ggufGPTOSS])
}

/// gpt-oss: a causal decoder of pre-normalised blocks with grouped keys, a sink for each head, windows in some
/// layers, and experts whose gates are bounded.
///
/// OpenAI: "gpt-oss-120b & gpt-oss-20b Model Card", arXiv 2508.10925, §2. Names of heads, defaults and outputs
/// are those of Hugging Face (models/gpt_oss/modeling_gpt_oss.py, 5.x).
public struct GPTOSS: CausalDecoder {
  public static let name = "gpt_oss"
  public static var classes: [(name: String, head: CausalHead)] {
    CausalHead.classes(
      of: "GptOss", [.base, .languageModel, .sequenceClassification, .tokenClassification])
  }

  public let form: DecoderForm

  public var dimensions: [String: Int] {
    ["head_size": form.blocks.first?.attention.shape.headSize ?? 0, "block": 32]
  }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.decoderSizes(
      .init(
        vocabulary: 201_088, width: 2880, layers: 36, heads: 64, keyHeads: 8, headSize: 64,
        feedForward: 2880))
    let norm = NormForm.rootMeanSquare(epsilon: config.epsilon("rms_norm_eps", default: 1e-5))
    let rotary = config.ownRotary(headSize: sizes.headSize)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let bias = config.flag("attention_bias", default: true, on: .weights)
    let experts = config.experts(hidden: sizes.feedForward)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: config.windows(layers: sizes.layers).map { window in
        BlockForm(
          attention: SelfAttentionForm(
            shape: AttentionShape(
              heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
              rotary: RotaryPart(.halves, size: rotary.turned)),
            hasBias: bias, hasOutputBias: bias, hasSinks: true, window: window),
          feeding: .experts(experts), norm: norm)
      },
      norm: norm,
      head: config.causalHead(Self.classes, isTied: isTied, endTokens: [], isStored: isStored))
    config.disregard(Self.withoutEffect)
    config.checkExperts(experts.routing, layers: sizes.layers)
    if config.faults.isEmpty, rotary.turned != sizes.headSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }

  /// The activation, which is always that of the gate; other names of what is read; and settings of training.
  private static let withoutEffect = [
    "hidden_act", "experts_per_token", "initial_context_length", "max_position_embeddings",
    "output_router_logits", "router_aux_loss_coef",
  ]
}

extension ConfigReader {
  /// Rotary settings, which are YaRN's where the config says nothing.
  fileprivate mutating func ownRotary(headSize: Int) -> RotarySettings {
    if !has("rope_scaling") {
      assume(
        "rope_parameters",
        [
          "rope_type": "yarn", "factor": .double(32), "beta_fast": .double(32),
          "beta_slow": .double(1), "truncate": false, "original_max_position_embeddings": 4096,
        ])
    }
    return rotary(RotaryDefaults(theta: 150_000, headSize: headSize, positions: 131_072))
  }

  fileprivate mutating func experts(hidden: Int) -> ExpertsShape {
    let count = expertCount("num_local_experts", or: "num_experts", default: 128)
    let routing = Routing(
      experts: count, active: activeExperts(default: 4), scoring: .softmaxOfChosen, hasBias: true)
    let gating = Gating.clamped(
      limit: positive("swiglu_limit", default: 7, usual: [5, 7, 10]),
      slope: positive("swiglu_alpha", default: 1.702, usual: [1, 1.702, 2]))
    return ExpertsShape(routing: routing, hidden: hidden, gating: gating, bias: true)
  }

  /// How many keys a query of each layer sees, its own included; `nil` for all. Every other layer has a window,
  /// the first one too, unless the config lists them.
  fileprivate mutating func windows(layers: Int) -> [Int?] {
    let types =
      choices(
        "layer_types", of: LayerType.self, count: layers,
        default: (0..<layers).map { $0.isMultiple(of: 2) ? .sliding : .full }) ?? []
    let said = min(max(present("sliding_window")?.int ?? 128, 2), Self.largestExtent - 1)
    let window = optionalCount(
      "sliding_window", default: isNull("sliding_window") ? nil : 128,
      usual: [said - 1, said + 1], on: types.contains(.sliding) ? .outputs : .nothing)
    return types.map { $0 == .full ? nil : window }
  }
}
