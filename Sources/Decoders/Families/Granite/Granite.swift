import Kernels
public import Models
import TensorCore

extension Family {
  /// Granite and its dialects.
  package static let granite = Family(
    members: [Granite.self], dialects: [.huggingFaceGranite, .ggufGranite])
}

/// Granite: a decoder with root-mean-square pre-normalisation, rotary positions and gated feed-forward
/// networks, with a multiplier each for words, scores, what layers give, and logits.
///
/// IBM: "Granite 3.0 Language Models", 2024, §2; multipliers after Yang et al., arXiv 2203.03466. Names of
/// heads, defaults and outputs are those of Hugging Face (models/granite/modeling_granite.py, 5.x).
public struct Granite: CausalDecoder {
  public static let name = "granite"
  public static let classes = CausalHead.classes(of: "Granite", [.base, .languageModel])

  public let form: DecoderForm
  let sizes: DecoderSizes
  let multipliers: GraniteMultipliers

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    sizes = config.decoderSizes(.init(feedForward: 11008))
    let activation = config.activation("hidden_act", default: .silu)
    let norm = NormForm.rootMeanSquare(epsilon: config.epsilon("rms_norm_eps", default: 1e-6))
    let rotary = config.rotary(RotaryDefaults(headSize: sizes.headSize, positions: 2048))
    let bias = config.flag("attention_bias", default: false, on: .weights)
    let feedForwardBias = config.flag("mlp_bias", default: false, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    multipliers = GraniteMultipliers(&config)
    var head = config.causalHead(
      Self.classes, isTied: isTied, endTokens: [2], isStored: isStored)
    head.factor = 1 / multipliers.logits
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
          rotary: RotaryPart(.halves, size: rotary.turned)),
        scale: multipliers.attention, hasBias: bias, hasOutputBias: bias),
      feedForward: FeedForwardForm(
        hidden: sizes.feedForward, activation: activation, isGated: true, hasBias: feedForwardBias),
      norm: norm, residualFactor: multipliers.residual)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: EmbeddingForm(factor: multipliers.embedding), rotaries: [rotary],
      blocks: Array(repeating: block, count: sizes.layers), norm: norm, head: head)
    config.disregard(["max_position_embeddings"])
    if config.faults.isEmpty, rotary.turned != sizes.headSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }
}

/// What is multiplied by what; logits are divided.
struct GraniteMultipliers: Sendable, Equatable {
  let embedding: Double
  let attention: Double
  let residual: Double
  let logits: Double

  init(_ config: inout ConfigReader) {
    embedding = config.positive("embedding_multiplier", default: 1, usual: [12])
    attention = config.positive("attention_multiplier", default: 1, usual: [0.0078125, 0.015625])
    residual = config.positive("residual_multiplier", default: 1, usual: [0.22])
    let divisor = config.positive("logits_scaling", default: 1, usual: [8, 16])
    if divisor == 0 { config.reject("logits_scaling must not be 0") }
    logits = divisor
  }
}
