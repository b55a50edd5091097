import Kernels
public import Models
import TensorCore

extension Family {
  /// StarCoder2 and its dialects.
  package static let starCoder2 = Family(
    members: [StarCoder2.self],
    dialects: [.huggingFaceStarCoder2, .ggufStarCoder2])
}

/// StarCoder2: a causal Transformer decoder with layer normalisation, rotary positions, grouped keys,
/// windows, and biases throughout.
///
/// Lozhkov et al.: "StarCoder 2 and The Stack v2", arXiv 2402.19173, §6.1. Names of heads, defaults and
/// outputs are those of Hugging Face (models/starcoder2/modeling_starcoder2.py, 5.x).
public struct StarCoder2: CausalDecoder {
  public static let name = "starcoder2"
  public static let classes = CausalHead.classes(
    of: "Starcoder2", [.base, .languageModel, .sequenceClassification, .tokenClassification])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.decoderSizes(
      .init(
        vocabulary: 49152, width: 3072, layers: 30, heads: 24, keyHeads: 2, feedForward: 12288))
    let activation = config.activation("hidden_act", default: .geluTanh)
    let norm = NormForm.layer(epsilon: config.epsilon("norm_epsilon", default: 1e-5))
    let rotary = config.rotary(RotaryDefaults(headSize: sizes.headSize, positions: 4096))
    let window = config.window(nil, on: .outputs)
    let hasBias = config.flag("use_bias", default: true, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
          rotary: RotaryPart(.halves, size: rotary.turned)),
        hasBias: hasBias, hasOutputBias: hasBias, window: window),
      feedForward: FeedForwardForm(
        hidden: sizes.feedForward, activation: activation, hasBias: hasBias),
      norm: norm)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: Array(repeating: block, count: sizes.layers), norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: [50256], isStored: isStored))
    config.disregard(Self.withoutEffect)
    // transformers does not look at it unless frequencies are scaled, and then it fails.
    if config.faults.isEmpty, rotary.turned != sizes.headSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for starcoder2")
    }
  }

  /// Settings of training, and keys of the first files, which say what is always so.
  private static let withoutEffect = [
    "activation_function", "attention_softmax_in_fp32", "embedding_dropout", "layer_norm_epsilon",
    "max_position_embeddings", "mlp_type", "norm_type", "residual_dropout",
    "scale_attention_softmax_in_fp32", "scale_attn_weights",
  ]
}
