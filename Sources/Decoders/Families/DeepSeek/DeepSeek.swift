import Kernels
public import Models
import TensorCore

extension Family {
  /// DeepSeek V2 and V3 and their dialects.
  package static let deepSeek = Family(
    members: [DeepSeek<DeepSeekV2>.self, DeepSeek<DeepSeekV3>.self],
    dialects: Dialect.huggingFaceDeepSeek + Dialect.ggufDeepSeek)
}

/// DeepSeek V2 and V3: a causal decoder of pre-normalised blocks whose keys and values are made of narrow
/// vectors, with experts in all but the first layers.
///
/// "DeepSeek-V2", arXiv 2405.04434, §2; "DeepSeek-V3 Technical Report", arXiv 2412.19437, §2.1. Names of heads,
/// defaults and outputs are those of Hugging Face (models/deepseek_v2, deepseek_v3, 5.x).
public struct DeepSeek<Member: DeepSeekMember>: CausalDecoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: CausalHead)] {
    CausalHead.classes(of: Member.className, Member.heads)
  }

  public let form: DecoderForm
  let sizes: DeepSeekSizes

  public var dimensions: [String: Int] {
    ["head_size": sizes.headSize, "plain_size": sizes.plainSize, "value_size": sizes.valueSize]
  }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let usual = Member.defaults
    sizes = config.deepSeekSizes(usual.sizes)
    let activation = config.activation("hidden_act", default: .silu)
    let norm = NormForm.rootMeanSquare(epsilon: config.epsilon("rms_norm_eps", default: 1e-6))
    let rotary = config.rotary(
      RotaryDefaults(headSize: sizes.turnedSize, positions: usual.positions))
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let variant = Member.variant(&config)
    let attention = sizes.attention(variant, rotary)
    let experts = ExpertsShape(
      routing: variant.routing, hidden: sizes.expert, gating: .product(activation),
      sharedHidden: sizes.expert * sizes.shared, sharedBias: variant.feedForwardBias)
    let dense = FeedForwardForm(
      hidden: sizes.feedForward, activation: activation, isGated: true,
      hasBias: variant.feedForwardBias)
    let firstSparse = sizes.dense
    let further = config.count(
      "num_nextn_predict_layers", or: "num_mtp_layers", default: Member.defaults.furtherTokens,
      limit: 16, minimum: 0, on: .nothing)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: (0..<sizes.layers).map { layer in
        BlockForm(
          attention: attention,
          feeding: layer < firstSparse ? .network(dense) : .experts(experts), norm: norm)
      },
      furtherBlocks: Array(
        repeating: BlockForm(attention: attention, feeding: .experts(experts), norm: norm),
        count: further),
      norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: usual.endTokens, isStored: isStored))
    config.disregard(Self.withoutEffect)
    config.checkExperts(variant.routing, layers: sizes.layers)
    if config.faults.isEmpty, rotary.turned != sizes.turnedSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }

  /// Sizes that follow from others; settings of training, and of how long texts should be.
  private static var withoutEffect: [String] {
    [
      "aux_loss_alpha", "ep_size", "head_dim", "max_position_embeddings", "output_router_logits",
      "pretraining_tp", "qk_head_dim",
      "router_aux_loss_coef", "seq_aux",
    ]
  }
}
