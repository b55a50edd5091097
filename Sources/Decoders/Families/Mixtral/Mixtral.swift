import Kernels
public import Models
import TensorCore

extension Family {
  /// Mixtral, its members and their dialects.
  package static let mixtral = Family(
    members: [
      Mixtral<MixtralOfExperts>.self, Mixtral<Qwen2MoE>.self, Mixtral<Qwen3MoE>.self,
      Mixtral<OLMoE>.self,
    ],
    dialects: Dialect.huggingFaceMixtral + Dialect.ggufMixtral + Dialect.mlxMixtral)
}

/// Mixtral and its kin: a causal decoder with root-mean-square pre-normalisation, rotary positions and grouped
/// keys, whose blocks send each position through a few of many gated feed-forward networks.
///
/// Jiang et al.: "Mixtral of Experts", arXiv 2401.04088, §2. Names of heads, defaults and outputs are those of
/// Hugging Face (models/mixtral/modeling_mixtral.py and its kin, 5.x).
public struct Mixtral<Member: MixtralMember>: CausalDecoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: CausalHead)] {
    CausalHead.classes(of: Member.className, Member.heads)
  }

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let usual = Member.defaults
    let sizes = config.decoderSizes(usual.sizes)
    let activation = config.activation("hidden_act", default: .silu)
    let norm = NormForm.rootMeanSquare(
      epsilon: config.epsilon("rms_norm_eps", default: usual.epsilon))
    let rotary = config.rotary(
      RotaryDefaults(theta: usual.theta, headSize: sizes.headSize, positions: usual.positions))
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let variant = Member.variant(&config, sizes, .product(activation))
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: (0..<sizes.layers).map { layer in
        BlockForm(
          attention: variant.attention(layer, sizes, norm, rotary),
          feeding: variant.hasExperts[layer]
            ? .experts(variant.experts)
            : .network(
              FeedForwardForm(
                hidden: sizes.feedForward, activation: activation, isGated: true, hasBias: false)),
          norm: norm)
      },
      norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: usual.endTokens, padToken: usual.padToken,
        isStored: isStored))
    config.disregard(Self.withoutEffect)
    config.checkExperts(variant.experts.routing, layers: sizes.layers)
    if config.faults.isEmpty, variant.norm == .whole,
      sizes.heads * sizes.headSize != sizes.width
    {
      config.reject(
        "hidden_size \(sizes.width) is not num_attention_heads × head_dim, which it must be for"
          + " \(Self.name)")
    }
    if config.faults.isEmpty, rotary.turned != sizes.headSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }

  /// Settings of training, of what is given beside the outputs, and of how long texts should be.
  private static var withoutEffect: [String] {
    [
      "max_position_embeddings", "output_router_logits", "router_aux_loss_coef",
      "router_jitter_noise",
    ]
  }
}

extension MixtralVariant {
  fileprivate func attention(
    _ layer: Int, _ sizes: DecoderSizes, _ norm: NormForm, _ rotary: RotarySettings
  ) -> SelfAttentionForm {
    SelfAttentionForm(
      shape: AttentionShape(
        heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
        rotary: RotaryPart(.halves, size: rotary.turned)),
      hasBias: inputBias, hasOutputBias: outputBias,
      norm: self.norm.map { QueryKeyNorm($0, norm) }, bound: bound, window: windows[layer])
  }
}
