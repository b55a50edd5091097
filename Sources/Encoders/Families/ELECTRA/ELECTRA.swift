import Kernels
public import Models
import TensorCore

extension Family {
  /// ELECTRA and its dialects.
  package static let electra = Family(
    members: [ELECTRA.self],
    tokenizers: [
      TokenizerClass(
        "ElectraTokenizer", for: ["electra"], .lines { TokenizerPlan.wordPieces($0) })
    ],
    dialects: [.huggingFaceELECTRA, .googleELECTRA, .googleELECTRAGenerator])
}

/// ELECTRA: a bidirectional Transformer encoder with narrow embeddings; the discriminator tells replaced tokens,
/// the generator scores words by the embeddings' vectors.
///
/// Clark et al.: "ELECTRA", arXiv 2003.10555. Names of heads, defaults and outputs are those of Hugging Face
/// (models/electra/modeling_electra.py, 5.x).
public struct ELECTRA: TextEncoder {
  public static let name = "electra"
  public static let classes = EncoderHead.classes(
    of: "Electra",
    [
      .base, .replacedTokens, .maskedLM, .causalLM, .sequenceClassification, .multipleChoice,
      .tokenClassification, .questionAnswering,
    ])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.encoderSizes(.init(width: 256, heads: 4, feedForward: 1024))
    let width = config.count("embedding_size", default: 128, on: .weights)
    let types = config.count("type_vocab_size", default: 2, on: .weights)
    var head = config.encoderHead(
      Self.classes,
      words: WordScoring(
        width: width, activation: .gelu, norm: sizes.norm, isTied: sizes.isTied),
      isCausal: sizes.isCausal,
      summary: (texts: .dense("classifier_dense", .gelu), choices: .dense("summary", .gelu)),
      isStored: isStored)
    head.replacedActivation = sizes.activation
    config.readSequenceSummary(&head)
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(
        width: width, positions: PositionTable(rows: sizes.positions), tokenTypes: types,
        norm: sizes.norm),
      blocks: sizes.blocks(.normAfter), head: head)
  }
}

extension ConfigReader {
  /// What choices are classified by: the first position's state, through a linear layer and an activation.
  fileprivate mutating func readSequenceSummary(_ head: inout EncoderHeadForm) {
    disregard([
      "summary_activation", "summary_last_dropout", "summary_type", "summary_use_proj",
    ])
    guard head.task == .multipleChoice else { return }
    require("summary_type", "first")
    require("summary_use_proj", true)
    let isNone = isNull("summary_activation")
    head.summary = .dense(
      "summary",
      activation(
        "summary_activation", default: isNone ? .linear : .gelu, on: .outputs(as: "summary"),
        mayBeNull: true))
  }
}
