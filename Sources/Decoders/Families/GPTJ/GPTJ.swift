import Kernels
public import Models
import TensorCore

extension Family {
  /// GPT-J and its dialect.
  package static let gptJ = Family(members: [GPTJ.self], dialects: [.huggingFaceGPTJ])
}

/// GPT-J: a causal Transformer decoder in which attention and feed-forward network stand side by side behind
/// one normalisation, with rotary positions of neighbours in a part of each head.
///
/// Wang & Komatsuzaki: "GPT-J-6B", 2021; rotary positions after Su et al., arXiv 2104.09864, eq. 34. Names of
/// heads, defaults and outputs are those of Hugging Face (models/gptj/modeling_gptj.py, 5.x).
public struct GPTJ: CausalDecoder {
  public static let name = "gptj"
  public static let classes = CausalHead.classes(
    of: "GPTJ", [.base, .languageModel, .sequenceClassification, .questionAnswering])

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let vocabulary = config.count("vocab_size", default: 50400, on: .weights)
    let width = config.count("n_embd", or: "hidden_size", default: 4096, on: .weights)
    let layers = config.count(
      "n_layer", or: "num_hidden_layers", default: 28, limit: ConfigReader.mostLayers, minimum: 0,
      on: .weights)
    let heads = config.count(
      "n_head", or: "num_attention_heads", default: 16, on: .outputs(as: "heads"))
    let headSize = max(1, width / heads)
    // How many the causal masks of old files have; no text is limited by it.
    let positions = config.count(
      "n_positions", or: "max_position_embeddings", default: 2048, on: .nothing)
    // At most the largest extent times four, which does not overflow.
    let hidden = config.optionalCount("n_inner", default: 4 * width, on: .weights) ?? 4 * width
    let activation = config.activation("activation_function", default: .geluTanh)
    let norm = NormForm.layer(epsilon: config.epsilon("layer_norm_epsilon", default: 1e-5))
    // Null is whole heads.
    let turned = config.count(
      "rotary_dim", default: config.isNull("rotary_dim") ? headSize : 64)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: heads, headSize: headSize, rotary: RotaryPart(.pairs, size: turned)),
        hasBias: false, hasOutputBias: false,
        buffers: AttentionBuffers(causalMask: positions, maskedScore: -1e9)),
      feedForward: FeedForwardForm(hidden: hidden, activation: activation),
      arrangement: .parallel(sharesNorm: true), norm: norm)
    var head = config.causalHead(
      Self.classes, isTied: isTied, endTokens: [50256], isStored: isStored)
    head.hasBias = true
    form = DecoderForm(
      vocabulary: vocabulary, width: width, embedding: EmbeddingForm(addsTypes: true),
      rotaries: [RotarySettings(size: turned)],
      blocks: Array(repeating: block, count: layers), norm: norm, head: head)
    config.disregard(Self.withoutEffect)
    guard config.faults.isEmpty else { return }
    if !width.isMultiple(of: heads) {
      config.reject("n_embd \(width) is not a multiple of n_head \(heads)")
    } else if !turned.isMultiple(of: 2) || turned > headSize {
      config.reject("rotary_dim \(turned) is not possible with heads of \(headSize)")
    }
  }

  /// Settings of training, and keys of the first files, which say what is always so.
  private static let withoutEffect = [
    "attn_pdrop", "embd_pdrop", "resid_pdrop", "rotary", "scale_attn_weights", "summary_activation",
    "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
  ]
}
