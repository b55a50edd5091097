import Kernels
public import Models
import TensorCore

extension Family {
  /// OPT and its dialects.
  package static let opt = Family(members: [OPT.self], dialects: [.huggingFaceOPT])
}

/// OPT: a causal Transformer decoder with learned positions, which padding does not count for. Words may
/// have vectors of a width of their own, and one model normalises after its layers.
///
/// Zhang et al.: "OPT: Open Pre-trained Transformer Language Models", arXiv 2205.01068, §2.1. Names of heads,
/// defaults and outputs are those of Hugging Face (models/opt/modeling_opt.py, 5.x).
public struct OPT: CausalDecoder {
  public static let name = "opt"
  public static let classes = CausalHead.classes(
    of: "OPT", [.base, .languageModel, .sequenceClassification, .questionAnswering])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 50272, on: .weights)
    let width = config.count("hidden_size", default: 768, on: .weights)
    let wordWidth =
      config.optionalCount("word_embed_proj_dim", default: width, on: .weights) ?? width
    let layers = config.count(
      "num_hidden_layers", default: 12, limit: ConfigReader.mostLayers, minimum: 0, on: .weights)
    let heads = config.count("num_attention_heads", default: 12, on: .outputs(as: "heads"))
    let positions = config.count("max_position_embeddings", default: 2048, on: .weights)
    let hasBias = config.flag("enable_bias", default: true, on: .weights)
    let hasGain = config.flag("layer_norm_elementwise_affine", default: true, on: .weights)
    let norm = NormForm.layer(epsilon: 1e-5, hasBias: hasGain, hasGain: hasGain)
    let normsBefore = config.flag("do_layer_norm_before", default: true)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(heads: heads, headSize: max(1, width / heads)),
        hasBias: hasBias, hasOutputBias: hasBias),
      feedForward: FeedForwardForm(
        hidden: config.count("ffn_dim", default: 3072, on: .weights),
        activation: config.activation("activation_function", default: .relu), hasBias: hasBias),
      arrangement: normsBefore ? .normBefore : .normAfter, norm: norm)
    // Models of before transformers 4.20 were trained further without it.
    let lacksNorm = config.flag(
      "_remove_final_layer_norm", default: false, on: normsBefore ? .outputs : .nothing)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    form = DecoderForm(
      vocabulary: vocabulary, width: width,
      embedding: EmbeddingForm(
        width: wordWidth == width ? nil : wordWidth,
        positions: LearnedPositions(positions, offset: 2, countsPadding: false)),
      blocks: Array(repeating: block, count: layers),
      norm: normsBefore && !lacksNorm ? norm : nil,
      outputWidth: wordWidth == width ? nil : wordWidth,
      head: config.causalHead(
        Self.classes, isTied: isTied, endTokens: [2], padToken: 1, isStored: isStored))
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty, !width.isMultiple(of: heads) {
      config.reject("hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
  }

  /// Settings of training, and two that stand in configs of models and say what is so in any case.
  private static let withoutEffect = [
    "activation_dropout", "dropout", "init_std", "layerdrop", "learned_embeddings",
    "scale_embeddings",
  ]
}
