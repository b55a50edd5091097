import Kernels
public import Models
import TensorCore

extension Family {
  /// NomicBERT and its dialects.
  package static let nomicBERT = Family(
    members: [NomicBERT.self],
    dialects: [.huggingFaceNomicBERT, .huggingFaceNomicBERTModules, .ggufNomicBERT])
}

/// NomicBERT: a bidirectional Transformer encoder with post-normalisation, rotary positions and gated feed-forward
/// networks.
///
/// Nussbaum et al.: "Nomic Embed", arXiv 2402.01613, §3.1. Names of heads, defaults and outputs are those of Hugging
/// Face (models/nomic_bert/modeling_nomic_bert.py, 5.x).
public struct NomicBERT: TextEncoder {
  public static let name = "nomic_bert"
  public static let classes = EncoderHead.classes(
    of: "NomicBert", [.base, .maskedLM, .sequenceClassification, .tokenClassification])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.encoderSizes(
      .init(vocabulary: 30528, positions: 2048, activation: .silu, mayBeCausal: false))
    let headSize = config.optionalCount("head_dim", on: .weights) ?? sizes.headSize
    // No table of positions says how many there are.
    _ = config.count("max_position_embeddings", default: 2048, on: .nothing)
    let types = config.count("type_vocab_size", default: 2, on: .weights)
    let rotary = config.rotary(RotaryDefaults(theta: 1000, headSize: headSize, positions: 2048))
    let head = config.encoderHead(
      Self.classes,
      words: WordScoring(
        width: sizes.width, activation: sizes.activation, norm: sizes.norm, isTied: sizes.isTied,
        bias: .shared),
      summary: (texts: .pooler, choices: .pooler), isStored: isStored)
    let block = BlockForm(
      attention: SelfAttentionForm(
        shape: AttentionShape(
          heads: sizes.heads, headSize: headSize, rotary: RotaryPart(.halves, size: rotary.turned)),
        hasBias: false, hasOutputBias: false, seesAhead: true),
      feedForward: FeedForwardForm(
        hidden: sizes.feedForward, activation: sizes.activation, isGated: true, hasBias: false),
      arrangement: .normAfter, norm: sizes.norm)
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(width: sizes.width, tokenTypes: types, norm: sizes.norm),
      rotaries: [rotary], blocks: Array(repeating: block, count: sizes.layers),
      pooler: head.poolerUse(isStored: isStored), head: head)
    if config.faults.isEmpty, rotary.turned != headSize {
      config.refuse("a partial_rotary_factor other than 1 is not supported for \(Self.name)")
    }
  }
}
