import Kernels
public import Models
import TensorCore

extension Family {
  /// Falcon and its dialects.
  package static let falcon = Family(
    members: [Falcon.self], dialects: [.huggingFaceFalcon, .ggufFalcon])
}

/// Falcon: a causal Transformer decoder with few heads of keys, attention and feed-forward network side by
/// side, and rotary positions; RefinedWeb's (RW) models have ALiBi, as many heads of keys as of queries, and
/// one layer after the other.
///
/// Almazrouei et al.: "The Falcon Series of Open Language Models", arXiv 2311.16867, §4. Names of heads,
/// defaults and outputs are those of Hugging Face (models/falcon/modeling_falcon.py, 5.x), with attention as
/// it computes it by default: its eager one adds ALiBi twice.
public struct Falcon: CausalDecoder {
  public static let name = "falcon"
  public static let classes = CausalHead.classes(of: "Falcon")

  public private(set) var form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 65024, on: .weights)
    let width = config.count("hidden_size", or: "n_embed", default: 4544, on: .weights)
    let layers = config.count(
      "num_hidden_layers", default: 32, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    let heads = config.count("num_attention_heads", default: 71, on: .outputs(as: "heads"))
    let headSize = max(1, width / heads)
    let design = config.falconDesign(heads: heads)
    let hasBias = config.flag("bias", default: false, on: .weights)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_epsilon", default: 1e-5))
    let hasALiBi = config.flag("alibi", default: false)
    let rotary = hasALiBi ? nil : config.falconRotary(headSize: headSize)
    if hasALiBi { config.disregard(Self.ofRotary) }
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: heads, keyHeads: design.keyHeads, headSize: headSize,
          rotary: rotary.map { RotaryPart(.halves, size: $0.turned) }),
        hasBias: hasBias, hasOutputBias: hasBias, hasALiBi: hasALiBi),
      feedForward: FeedForwardForm(
        // At most the largest extent times four, which does not overflow.
        hidden: config.count("ffn_hidden_size", default: 4 * width, on: .weights),
        activation: config.activation("activation", default: .gelu), hasBias: hasBias),
      arrangement: design.arrangement, norm: norm)
    let alibi = ALiBi(
      heads: heads, positions: .amongAllowed, scale: 1 / Double(headSize).squareRoot(),
      isRounded: true)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    form = DecoderForm(
      vocabulary: vocabulary, width: width, rotaries: rotary.map { [$0] } ?? [],
      alibi: hasALiBi ? alibi : nil, blocks: Array(repeating: block, count: layers), norm: norm,
      head: config.causalHead(Self.classes, isTied: isTied, endTokens: [11], isStored: isStored))
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
  }

  /// `parallel_norms` tells the blocks with two normalisations side by side from those with one after the
  /// other, whose names are others.
  public var dimensions: [String: Int] {
    guard let block = form.blocks.first else { return [:] }
    var dimensions = block.attention.shape.dimensions
    if block.arrangement == .parallel(sharesNorm: false) { dimensions["parallel_norms"] = 2 }
    return dimensions
  }

  /// transformers' eager attention finds ALiBi in the mask too, where it is for the default one (5.23).
  public func deviation(ofAttention way: String) -> FrameworkDeviation? {
    guard way == "eager", let alibi = form.alibi else { return nil }
    var twice = self
    twice.form.alibi?.scale = 2 * alibi.scale
    return FrameworkDeviation(twice, "whose eager attention adds ALiBi twice")
  }

  /// What configs of rotary positions say, where there are none.
  private static let ofRotary = [
    "max_position_embeddings", "rope_parameters", "rope_scaling", RotaryDefaults.theta,
  ]

  /// What older code looked at, and what the width of the feed-forward network says too.
  private static let withoutEffect = ["apply_residual_connection_post_layernorm", "ff_factor"]
}
