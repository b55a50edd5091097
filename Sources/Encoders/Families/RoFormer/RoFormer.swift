import Kernels
public import Models
import TensorCore

extension Family {
  /// RoFormer and its dialects.
  package static let roFormer = Family(members: [RoFormer.self], dialects: [.huggingFaceRoFormer])
}

/// RoFormer: a bidirectional Transformer encoder with post-normalisation, in which neighbouring numbers of each head
/// are turned by their positions.
///
/// Su et al.: "RoFormer", arXiv 2104.09864, §3.4. Names of heads, defaults and outputs are those of Hugging Face
/// (models/roformer/modeling_roformer.py, 5.x). Sines and cosines are those that files store, in single precision.
public struct RoFormer: TextEncoder {
  public static let name = "roformer"
  public static let classes = EncoderHead.classes(
    of: "RoFormer",
    [
      .base, .maskedLM, .causalLM, .sequenceClassification, .multipleChoice,
      .tokenClassification, .questionAnswering,
    ])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.encoderSizes(.init(vocabulary: 50000, positions: 1536))
    let width =
      config.optionalCount("embedding_size", default: sizes.width, on: .weights) ?? sizes.width
    let types = config.count("type_vocab_size", default: 2, on: .weights)
    config.require("rotary_value", false)
    let head = config.encoderHead(
      Self.classes,
      words: WordScoring(
        width: width, activation: sizes.activation, norm: sizes.norm, isTied: sizes.isTied,
        bias: .shared),
      isCausal: sizes.isCausal,
      summary: (texts: .dense("classifier_dense", sizes.activation), choices: .state(.last)),
      isStored: isStored)
    if config.faults.isEmpty, !sizes.headSize.isMultiple(of: 2) {
      config.reject("heads of \(sizes.headSize) numbers cannot be turned, which must be even")
    }
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(width: width, tokenTypes: types, norm: sizes.norm),
      rotaries: [RotarySettings(size: sizes.headSize)], rotaryRows: sizes.positions,
      blocks: sizes.blocks(.normAfter, rotary: RotaryPart(.pairs, size: sizes.headSize)), head: head
    )
  }
}
