import Kernels
public import Models
import TensorCore

extension Family {
  /// MPT and its dialects.
  package static let mpt = Family(members: [MPT.self], dialects: [.huggingFaceMPT, .ggufMPT])
}

/// MPT: a causal Transformer decoder without any bias, and without positions but those of ALiBi.
///
/// The MosaicML NLP Team: "Introducing MPT-7B", 2023 (mosaicml/llm-foundry). Names of heads, defaults and
/// outputs are those of Hugging Face (models/mpt/modeling_mpt.py, 5.x), which computes less than its config
/// can say: there is always ALiBi, with slopes down to 2⁻⁸, and queries and keys are never
/// normalised.
public struct MPT: CausalDecoder {
  public static let name = "mpt"
  public static let classes =
    CausalHead.classes(of: "Mpt") + [("MPTForCausalLM", .languageModel)]

  public let form: DecoderForm
  /// The exponent of the smallest slope for code that looks at it. No output depends on it.
  let biasMax: Int

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 50368, on: .weights)
    let width = config.count("d_model", or: "hidden_size", default: 2048, on: .weights)
    let layers = config.count(
      "n_layers", or: "num_hidden_layers", default: 24, limit: ConfigReader.mostLayers, minimum: 0,
      on: .weights)
    let heads = config.count(
      "n_heads", or: "num_attention_heads", default: 16, on: .outputs(as: "heads"))
    let norm = NormForm.layer(
      epsilon: config.epsilon("layer_norm_epsilon", default: 1e-5), hasBias: false)
    let longest = config.count("max_seq_len", default: 2048, on: .nothing)
    let (bound, scale, biasMax) = config.within("attn_config") { $0.attention() }
    self.biasMax = biasMax
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(heads: heads, headSize: max(1, width / heads)), scale: scale,
        hasBias: false, hasOutputBias: false, bound: bound, hasALiBi: true),
      // At most the largest extent times four, which does not overflow.
      feedForward: FeedForwardForm(hidden: 4 * width, activation: .gelu, hasBias: false),
      norm: norm)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    form = DecoderForm(
      vocabulary: vocabulary, width: width, alibi: ALiBi(heads: heads, positions: .amongAll),
      blocks: Array(repeating: block, count: layers), norm: norm, longest: longest,
      head: config.causalHead(Self.classes, isTied: isTied, endTokens: [], isStored: isStored))
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, !width.isMultiple(of: heads) {
      config.reject("d_model \(width) is not a multiple of n_heads \(heads)")
    }
  }

  public static func == (a: MPT, b: MPT) -> Bool { a.form == b.form }

  /// Settings of training, and what llm-foundry computes and transformers does not.
  private static let withoutEffect = [
    "emb_pdrop", "embedding_fraction", "expansion_ratio", "fc_type", "init_config", "init_device",
    "learned_pos_emb", "logit_scale", "no_bias", "norm_type", "resid_pdrop", "tokenizer_name",
    "verbose",
  ]
}

extension ConfigReader {
  /// What of MPT's object for attention has an effect: the bound of queries, keys and values, which is none
  /// if it is 0; what scores are multiplied by; and the smallest slope's exponent.
  fileprivate mutating func attention() -> (bound: Double?, scale: Double?, biasMax: Int) {
    disregardCommonKeys()
    disregard([
      "alibi", "attn_impl", "attn_pdrop", "attn_type", "attn_uses_sequence_id", "id2label",
      "prefix_lm", "qk_ln",
    ])
    let bound = optionalPositive("clip_qkv", usual: [4, 6, 8])
    let scale = optionalPositive("softmax_scale", usual: [0.125, 1])
    let biasMax = count("alibi_bias_max", default: 8, minimum: 0, on: .nothing)
    return (bound == 0 ? nil : bound, scale, biasMax)
  }
}
