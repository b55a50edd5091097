import Kernels
public import Models
import TensorCore

extension Family {
  /// GPT-BigCode and its dialects.
  package static let gptBigCode = Family(
    members: [GPTBigCode.self], dialects: [.huggingFaceGPTBigCode, .ggufGPTBigCode])
}

/// GPT-BigCode: a causal Transformer decoder with learned positions, whose heads share one of keys and values.
///
/// Ben Allal et al.: "SantaCoder", arXiv 2301.03988, §4.1; Li et al.: "StarCoder", arXiv 2305.06161, §5.3; the
/// one head of keys: Shazeer, arXiv 1911.02150, §3. Names of heads, defaults and outputs are those of Hugging
/// Face (models/gpt_bigcode/modeling_gpt_bigcode.py, 5.x).
public struct GPTBigCode: CausalDecoder {
  public static let name = "gpt_bigcode"
  public static let classes = CausalHead.classes(
    of: "GPTBigCode", [.base, .languageModel, .sequenceClassification, .tokenClassification])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 50257, on: .weights)
    let width = config.count("n_embd", or: "hidden_size", default: 768, on: .weights)
    let layers = config.count(
      "n_layer", or: "num_hidden_layers", default: 12, limit: ConfigReader.mostLayers, minimum: 0,
      on: .weights)
    let heads = config.count(
      "n_head", or: "num_attention_heads", default: 12, on: .outputs(as: "heads"))
    let positions = config.count(
      "n_positions", or: "max_position_embeddings", default: 1024, on: .weights)
    // At most the largest extent times four, which does not overflow.
    let hidden = config.optionalCount("n_inner", default: 4 * width, on: .weights) ?? 4 * width
    let activation = config.activation("activation_function", default: .geluTanh)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_epsilon", default: 1e-5))
    let isScaled = config.flag("scale_attn_weights", default: true)
    let sharesKeys = config.flag("multi_query", default: true, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: heads, keyHeads: sharesKeys ? 1 : heads, headSize: max(1, width / heads)),
        scale: isScaled ? nil : 1),
      feedForward: FeedForwardForm(hidden: hidden, activation: activation), norm: norm)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    form = DecoderForm(
      vocabulary: vocabulary, width: width,
      embedding: EmbeddingForm(positions: LearnedPositions(positions), addsTypes: true),
      blocks: Array(repeating: block, count: layers), norm: norm,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: [50256], isStored: isStored))
    config.require(
      "add_cross_attention", false,
      otherwise: "cross-attention (add_cross_attention) is not supported for gpt_bigcode")
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, !width.isMultiple(of: heads) {
      config.reject("n_embd \(width) is not a multiple of n_head \(heads)")
    }
  }

  /// Settings of training, of servers and of other heads; what decides in which precision half-precision
  /// scores are computed, where ours are exact; and the heads of keys, which `multi_query` says.
  private static let withoutEffect = [
    "attention_softmax_in_fp32", "attn_pdrop", "embd_pdrop", "inference_runner", "max_batch_size",
    "max_sequence_length", "num_key_value_heads", "pad_key_length", "pre_allocate_kv_cache",
    "resid_pdrop", "scale_attention_softmax_in_fp32", "summary_activation",
    "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
    "validate_runner_input",
  ]
}
