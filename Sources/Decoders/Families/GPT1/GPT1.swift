import Kernels
public import Models
import TensorCore

extension Family {
  /// GPT-1 and its dialect.
  package static let gpt1 = Family(members: [GPT1.self], dialects: [.huggingFaceGPT1])
}

/// GPT, the first: a causal Transformer decoder with normalisation after each layer, and learned positions.
///
/// Radford et al.: "Improving Language Understanding by Generative Pre-Training", 2018, §3 and §4.1. Names of
/// heads, defaults and outputs are those of Hugging Face (models/openai/modeling_openai.py, 5.x).
public struct GPT1: CausalDecoder {
  public static let name = "openai-gpt"
  public static let classes: [(name: String, head: CausalHead)] = [
    ("OpenAIGPTModel", .base), ("OpenAIGPTLMHeadModel", .languageModel),
    ("OpenAIGPTDoubleHeadsModel", .doubleHeads),
    ("OpenAIGPTForSequenceClassification", .sequenceClassification),
  ]

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 40478, on: .weights)
    let width = config.count("n_embd", or: "hidden_size", default: 768, on: .weights)
    let layers = config.count(
      "n_layer", or: "num_hidden_layers", default: 12, limit: ConfigReader.mostLayers, minimum: 0,
      on: .weights)
    let heads = config.count(
      "n_head", or: "num_attention_heads", default: 12, on: .outputs(as: "heads"))
    let positions = config.count(
      "n_positions", or: "max_position_embeddings", default: 512, on: .weights)
    let activation = config.choice(
      "afn", default: GPT1Activation.gelu, aliases: ["swish": .silu],
      on: .outputs(as: "activation"))
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_epsilon", default: 1e-5))
    let isTied = config.flag("tie_word_embeddings", default: true, on: .weights)
    var head = config.causalHead(Self.classes, isTied: isTied, endTokens: [], isStored: isStored)
    head.choiceActivation = config.activation(
      "summary_activation", default: .linear, on: head.task == .doubleHeads ? .outputs : .nothing,
      mayBeNull: true)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(heads: heads, headSize: max(1, width / heads)), fallback: .allowed,
        buffers: AttentionBuffers(causalMask: positions)),
      // At most the largest extent times four, which does not overflow.
      feedForward: FeedForwardForm(hidden: 4 * width, activation: activation.function),
      arrangement: .normAfter, norm: norm)
    form = DecoderForm(
      vocabulary: vocabulary, width: width,
      embedding: EmbeddingForm(positions: LearnedPositions(positions), addsTypes: true),
      blocks: Array(repeating: block, count: layers), norm: nil, head: head)
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

  /// Settings of training; the length of the texts in it, which the number of positions says too; and how many
  /// of the words are special.
  private static let withoutEffect = [
    "attn_pdrop", "embd_pdrop", "n_ctx", "n_special", "predict_special_tokens", "resid_pdrop",
    "summary_first_dropout",
  ]
}

/// The activations by the names that configs have for them, of which one means another function than
/// elsewhere.
private enum GPT1Activation: String, CaseIterable {
  case relu
  case silu
  case gelu

  var function: Activation {
    switch self {
    case .relu: .relu
    case .silu: .silu
    case .gelu: .geluTanh
    }
  }
}
