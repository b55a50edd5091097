import Kernels
public import Models
import TensorCore

extension Family {
  /// RoBERTa, its members and their dialects.
  package static let roberta = Family(
    members: [
      RoBERTa<PlainRoBERTa>.self, RoBERTa<CamemBERT>.self, RoBERTa<Data2VecText>.self,
      RoBERTa<RoBERTaPreLayerNorm>.self, RoBERTa<XLMRoBERTa>.self, RoBERTa<XLMRoBERTaXL>.self,
    ],
    tokenizers: [.roberta, .xlmRoBERTa, .camemBERT],
    dialects: Dialect.huggingFaceRoBERTa + Dialect.fairseqRoBERTa + Dialect.ggufRoBERTa)
}

/// RoBERTa: a bidirectional Transformer encoder with learned positions, which are counted from behind the padding
/// token's number on and leave padding out.
///
/// Liu et al.: "RoBERTa", arXiv 1907.11692. Names of heads, defaults and outputs are those of Hugging Face
/// (models/roberta/modeling_roberta.py and its kin, 5.x).
public struct RoBERTa<Member: RoBERTaMember>: TextEncoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: EncoderHead)] {
    EncoderHead.classes(
      of: Member.className,
      [
        .base, .maskedLM, .causalLM, .sequenceClassification, .multipleChoice,
        .tokenClassification, .questionAnswering,
      ])
  }

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    var usual = Member.defaults
    usual.mayCross = true
    let sizes = config.encoderSizes(usual)
    let types = config.count("type_vocab_size", default: Member.tokenTypes, on: .weights)
    let head = config.encoderHead(
      Self.classes,
      words: WordScoring(
        width: sizes.width, activation: .gelu, norm: sizes.norm, isTied: sizes.isTied, bias: .shared
      ),
      isCausal: sizes.isCausal,
      summary: (texts: .dense("classifier_dense", .tanh), choices: .pooler), isStored: isStored)
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(
        width: sizes.width, positions: config.positionsBehindPadding(rows: sizes.positions),
        tokenTypes: types, norm: Member.normalisesEmbeddings ? sizes.norm : nil),
      blocks: sizes.blocks(Member.arrangement),
      norm: Member.arrangement == .normBefore ? sizes.norm : nil,
      pooler: head.poolerUse(isStored: isStored), head: head)
  }
}
