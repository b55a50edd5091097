import Kernels
public import Models

extension Family {
  /// Nemotron and its dialects.
  package static let nemotron = Family(
    members: [Nemotron.self], dialects: [.huggingFaceNemotron, .ggufNemotron])
}

/// Nemotron: a causal Transformer decoder with pre-normalisation, whose gains are stored as what they are
/// above 1, squared ReLU without a gate, grouped keys and rotary positions of a part of each head.
///
/// Parmar et al.: "Nemotron-4 15B Technical Report", arXiv 2402.16819, §2; squared ReLU: So et al., arXiv
/// 2109.08668, §4. Names of heads, defaults and outputs are those of Hugging Face
/// (models/nemotron/modeling_nemotron.py, 5.x).
public struct Nemotron: CausalDecoder {
  public static let name = "nemotron"
  public static let classes = CausalHead.classes(of: "Nemotron")

  public let form: DecoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.decoderSizes(
      .init(vocabulary: 256000, width: 6144, layers: 32, heads: 48, feedForward: 24576))
    let activation = config.activation("hidden_act", default: .relu2)
    let norm = NormForm.layer(epsilon: config.epsilon("norm_eps", default: 1e-5), gainOffset: 1)
    let rotary = config.rotary(
      RotaryDefaults(fraction: 0.5, headSize: sizes.headSize, positions: 4096))
    let hasBias = config.flag("attention_bias", default: false, on: .weights)
    let hasUnitBias = config.flag("mlp_bias", default: false, on: .weights)
    let isTied = config.flag("tie_word_embeddings", default: false, on: .weights)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: sizes.heads, keyHeads: sizes.keyHeads, headSize: sizes.headSize,
          rotary: RotaryPart(.halves, size: rotary.turned)),
        hasBias: hasBias, hasOutputBias: hasBias),
      feedForward: FeedForwardForm(
        hidden: sizes.feedForward, activation: activation, hasBias: hasUnitBias),
      norm: norm)
    form = DecoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width, rotaries: [rotary],
      blocks: Array(repeating: block, count: sizes.layers), norm: norm,
      head: config.causalHead(Self.classes, isTied: isTied, endTokens: [3], isStored: isStored))
    // No text is limited by it; scaled frequencies that depend on it say so.
    config.disregard(["max_position_embeddings"])
  }
}
