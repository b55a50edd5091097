import Kernels
public import Models
import TensorCore

extension Family {
  /// GPT-2 and its dialects.
  package static let gpt2 = Family(
    members: [GPT2.self], configNames: ["hparams.json"], tokenizers: [.gpt2],
    dialects: [
      .huggingFaceGPT2, .openAIGPT2, .nanoGPT, .ggufGPT2, .mlxGPT2, .ctranslate2GPT2,
      .flashAttentionGPT2,
    ] + Dialect.gpt2OfFrameworks)
}

/// GPT-2: a causal Transformer decoder with pre-normalisation and learned positions.
///
/// Radford et al.: "Language Models are Unsupervised Multitask Learners", 2019, §2.3. Names of heads,
/// defaults and outputs are those of Hugging Face (models/gpt2/modeling_gpt2.py, 5.x).
public struct GPT2: CausalDecoder {
  public static let name = "gpt2"
  public static let classes: [(name: String, head: CausalHead)] = [
    ("GPT2Model", .base), ("GPT2LMHeadModel", .languageModel),
    ("GPT2DoubleHeadsModel", .doubleHeads),
    ("GPT2ForSequenceClassification", .sequenceClassification),
    ("GPT2ForTokenClassification", .tokenClassification),
    ("GPT2ForQuestionAnswering", .questionAnswering),
  ]

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
    let hidden =
      config.optionalCount("n_inner", default: 4 * width, on: .weights) ?? 4 * width
    let activation = config.activation("activation_function", default: .geluTanh)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_epsilon", default: 1e-5))
    let isScaled = config.flag("scale_attn_weights", default: true)
    let dividesByLayer = config.flag("scale_attn_by_inverse_layer_idx", default: false)
    // It decides in which order and precision half-precision scores are computed. Ours are exact.
    _ = config.flag("reorder_and_upcast_attn", default: false, on: .nothing)
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    var head = config.causalHead(
      Self.classes, isTied: isTied, endTokens: [50256], isStored: isStored)
    head.choiceActivation = config.activation(
      "summary_activation", default: .linear, on: head.task == .doubleHeads ? .outputs : .nothing,
      mayBeNull: true)
    let scale = isScaled ? 1 / Double(width / heads).squareRoot() : 1
    let crosses = config.flag("add_cross_attention", default: false, on: .weights)
    let buffers = AttentionBuffers(causalMask: positions, maskedScore: -10000)
    let blocks = (0..<layers).map { layer in
      let scale = dividesByLayer ? scale / Double(layer + 1) : scale
      var block = BlockForm(
        attention: SelfAttentionForm(
          shape: AttentionShape(heads: heads, headSize: width / heads), scale: scale,
          buffers: buffers),
        feedForward: FeedForwardForm(hidden: hidden, activation: activation), norm: norm)
      if crosses {
        block.cross = .ofGivenStates(
          heads: heads, headSize: max(1, width / heads), scale: scale, buffers: buffers)
      }
      return block
    }
    form = DecoderForm(
      vocabulary: vocabulary, width: width,
      embedding: EmbeddingForm(positions: LearnedPositions(positions), addsTypes: true),
      blocks: blocks, norm: norm, head: head)
    config.disregard(Self.withoutEffect)
    if config.faults.isEmpty { checkConsistency(&config, heads: heads) }
  }

  private func checkConsistency(_ config: inout ConfigReader, heads: Int) {
    if !form.width.isMultiple(of: heads) {
      config.reject("n_embd \(form.width) is not a multiple of n_head \(heads)")
    }
    let summary = ["summary_use_proj", "summary_proj_to_labels"]
    guard form.head.task == .doubleHeads else {
      return config.disregard(["summary_type"] + summary)
    }
    config.require("summary_type", "cls_index")
    for key in summary { config.require(key, true) }
  }

  /// Settings of training; and the length of the texts in it, which the number of positions says too.
  private static let withoutEffect = [
    "attn_pdrop", "embd_pdrop", "n_ctx", "predict_special_tokens", "resid_pdrop",
    "summary_first_dropout",
  ]
}
