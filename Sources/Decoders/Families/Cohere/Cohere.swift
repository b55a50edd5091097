import Kernels
public import Models
import TensorCore

extension Family {
  /// Cohere's decoders and their dialects.
  package static let cohere = Family(
    members: [Cohere<Cohere1>.self, Cohere<Cohere2>.self],
    dialects: Dialect.huggingFaceCohere + Dialect.ggufCohere)
}

/// Cohere's decoders, Command R and Command R7B: layer normalisation without offsets, attention and gated
/// feed-forward network side by side, rotary positions of neighbouring numbers, and logits times a number.
///
/// Cohere: "Command A", arXiv 2504.00698, §2.1, on the members; blocks side by side: arXiv 2204.02311, §2.
/// Names of heads, defaults and outputs are those of Hugging Face (models/cohere/modeling_cohere.py,
/// models/cohere2/modeling_cohere2.py, 5.x).
public struct Cohere<Member: CohereMember>: CausalDecoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: CausalHead)] {
    CausalHead.classes(of: Member.className, [.base, .languageModel])
  }

  public let form: DecoderForm
  let sizes: DecoderSizes
  let hasBias: Bool
  /// What the members differ in.
  let variant: CohereVariant

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    sizes = config.decoderSizes(Member.sizes)
    let activation = config.activation("hidden_act", default: .silu)
    let epsilon = config.epsilon("layer_norm_eps", default: 1e-5)
    let rotary = config.rotary(
      RotaryDefaults(theta: Member.theta, headSize: sizes.headSize, positions: 8192))
    hasBias = config.flag("attention_bias", default: false, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    variant = Member.variant(&config, layers: sizes.layers)
    var head = config.causalHead(
      Self.classes, isTied: isTied, endTokens: [255_001], padToken: 0, isStored: isStored)
    head.factor = config.positive("logit_scale", default: 0.0625, usual: [0.0625, 0.25, 1])
    let norm = NormForm.layer(epsilon: epsilon, hasBias: false)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: Self.blocks(sizes, variant, activation, norm, rotary, hasBias: hasBias),
      norm: norm, head: head)
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, rotary.turned != sizes.headSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }

  private static func blocks(
    _ sizes: DecoderSizes, _ variant: CohereVariant, _ activation: Activation, _ norm: NormForm,
    _ rotary: RotarySettings, hasBias: Bool
  ) -> [BlockForm] {
    variant.layers.map { layer in
      BlockForm(
        attention: SelfAttentionForm(
          shape: AttentionShape(
            heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
            rotary: layer.isTurned ? RotaryPart(.pairs, size: rotary.turned) : nil),
          hasBias: hasBias, hasOutputBias: hasBias,
          norm: variant.hasHeadNorms ? QueryKeyNorm(.ownHeads, norm) : nil, window: layer.window),
        feedForward: FeedForwardForm(
          hidden: sizes.feedForward, activation: activation, isGated: true, hasBias: false),
        arrangement: .parallel(sharesNorm: true), norm: norm)
    }
  }

  /// What older configs say of how the model is built, always the same, and how a cache is made.
  private static var withoutEffect: [String] {
    [
      "cache_implementation", "max_position_embeddings", "model_max_length",
      "order_of_interleaved_layers", "position_embedding_type", "rotary_pct",
      "use_embedding_sharing", "use_gated_activation", "use_parallel_block",
      "use_parallel_embedding",
    ]
  }
}
