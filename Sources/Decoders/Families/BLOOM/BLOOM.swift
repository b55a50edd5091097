import Kernels
public import Models
import TensorCore

extension Family {
  /// BLOOM and its dialects.
  package static let bloom = Family(
    members: [BLOOM.self], dialects: [.huggingFaceBLOOM, .ggufBLOOM])
}

/// BLOOM: a causal Transformer decoder without positions but those of ALiBi, which normalises the words'
/// vectors too.
///
/// Le Scao et al.: "BLOOM", arXiv 2211.05100, §3.2. Names of heads, defaults and outputs are those of Hugging
/// Face (models/bloom/modeling_bloom.py, 5.x).
public struct BLOOM: CausalDecoder {
  public static let name = "bloom"
  public static let classes = CausalHead.classes(of: "Bloom")

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 250_880, on: .weights)
    let width = config.count("hidden_size", or: "n_embed", default: 64, on: .weights)
    let layers = config.count(
      "n_layer", or: "num_hidden_layers", default: 2, limit: ConfigReader.mostLayers, minimum: 0,
      on: .weights)
    let heads = config.count(
      "n_head", or: "num_attention_heads", default: 8, on: .outputs(as: "heads"))
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_epsilon", default: 1e-5))
    let startsAtNorm = config.flag("apply_residual_connection_post_layernorm", default: false)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(heads: heads, headSize: max(1, width / heads)), hasALiBi: true),
      // At most the largest extent times four, which does not overflow.
      feedForward: FeedForwardForm(hidden: 4 * width, activation: .geluMegatron),
      arrangement: startsAtNorm ? .normOfStream : .normBefore, norm: norm)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    form = DecoderForm(
      vocabulary: vocabulary, width: width, embedding: EmbeddingForm(norm: norm),
      alibi: ALiBi(heads: heads, positions: .amongAllowed),
      blocks: Array(repeating: block, count: layers), norm: norm,
      head: config.causalHead(Self.classes, isTied: isTied, endTokens: [2], isStored: isStored))
    refuseSlices(&config)
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of n_head \(heads)")
    }
  }

  /// Where products are sums of several slices, transformers leaves the biases of the outputs out.
  private func refuseSlices(_ config: inout ConfigReader) {
    let slices = config.count("pretraining_tp", default: 1, on: .nothing)
    if config.flag("slow_but_exact", default: false, on: .nothing), slices > 1 {
      config.refuse("slow_but_exact with a pretraining_tp above 1 is not supported for bloom")
    }
  }

  /// Settings of training and of its kernels, and the length of its texts.
  private static let withoutEffect = [
    "attention_softmax_in_fp32", "bias_dropout_fusion", "masked_softmax_fusion", "n_inner",
    "offset_alibi", "seq_length", "skip_bias_add", "skip_bias_add_qkv", "unk_token_id",
  ]
}
