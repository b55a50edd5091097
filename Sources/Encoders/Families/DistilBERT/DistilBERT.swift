import Kernels
public import Models
import TensorCore

extension Family {
  /// DistilBERT and its dialects.
  package static let distilBERT = Family(
    members: [DistilBERT.self],
    tokenizers: [
      TokenizerClass(
        "DistilBertTokenizer", for: ["distilbert"], .lines { TokenizerPlan.wordPieces($0) })
    ],
    dialects: [.huggingFaceDistilBERT, .ggufDistilBERT])
}

/// DistilBERT: a bidirectional Transformer encoder with learned positions, without types of tokens and pooler.
///
/// Sanh et al.: "DistilBERT", arXiv 1910.01108, §3. Names of heads, defaults and outputs are those of Hugging Face
/// (models/distilbert/modeling_distilbert.py, 5.x).
public struct DistilBERT: TextEncoder {
  public static let name = "distilbert"
  public static let classes = EncoderHead.classes(
    of: "DistilBert",
    [
      .base, .maskedLM, .sequenceClassification, .multipleChoice, .tokenClassification,
      .questionAnswering,
    ])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.distilledSizes()
    // The positions of fresh models: whatever is stored is what positions have.
    config.disregard([
      "dropout", "qa_dropout", "seq_classif_dropout", "sinusoidal_pos_embds", "tie_weights_",
    ])
    let head = config.encoderHead(
      Self.classes,
      words: WordScoring(
        width: sizes.width, activation: sizes.activation, norm: sizes.norm, isTied: sizes.isTied),
      summary: (
        texts: .dense("classifier_dense", .relu), choices: .dense("classifier_dense", .relu)
      ), isStored: isStored)
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(
        width: sizes.width, positions: PositionTable(rows: sizes.positions), norm: sizes.norm),
      blocks: sizes.blocks(.normAfter), head: head)
  }
}

extension ConfigReader {
  /// The extents, each under its own key or the one that most configs have for it.
  fileprivate mutating func distilledSizes() -> EncoderSizes {
    let sizes = EncoderSizes(
      vocabulary: count("vocab_size", default: 30522, on: .weights),
      width: count("dim", or: "hidden_size", default: 768, on: .weights),
      layers: count(
        "n_layers", or: "num_hidden_layers", default: 6, limit: Self.mostLayers, minimum: 0,
        on: .weights),
      heads: count("n_heads", or: "num_attention_heads", default: 12, on: .outputs(as: "heads")),
      feedForward: count("hidden_dim", default: 3072, on: .weights),
      activation: activation("activation", default: .gelu), norm: .layer(epsilon: 1e-12),
      positions: count("max_position_embeddings", default: 512, on: .weights), isCausal: false,
      isTied: flag("tie_word_embeddings", default: true, on: .weights))
    rejectUndivided(sizes.width, "dim", by: sizes.heads, "n_heads")
    return sizes
  }
}
