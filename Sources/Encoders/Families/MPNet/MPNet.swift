import Kernels
public import Models
import TensorCore

extension Family {
  /// MPNet and its dialects.
  package static let mpnet = Family(
    members: [MPNet.self], tokenizers: [.mpnet], dialects: [.huggingFaceMPNet])
}

/// MPNet: a bidirectional Transformer encoder with learned positions and, in all blocks, the same learned biases
/// for distances.
///
/// Song et al.: "MPNet", arXiv 2004.09297. Names of heads, defaults and outputs are those of Hugging Face
/// (models/mpnet/modeling_mpnet.py, 5.x).
public struct MPNet: TextEncoder {
  public static let name = "mpnet"
  public static let classes = EncoderHead.classes(
    of: "MPNet",
    [
      .base, .maskedLM, .sequenceClassification, .multipleChoice, .tokenClassification,
      .questionAnswering,
    ])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.encoderSizes(.init(vocabulary: 30527, mayBeCausal: false))
    let buckets = config.count("relative_attention_num_buckets", default: 32, on: .weights)
    if buckets != Self.buckets {
      config.refuse(
        "relative_attention_num_buckets \(buckets) is not supported; \(Self.buckets) is, which"
          + " transformers uses whatever the config says")
    }
    let head = config.encoderHead(
      Self.classes,
      words: WordScoring(
        width: sizes.width, activation: .gelu, norm: sizes.norm, isTied: sizes.isTied, bias: .shared
      ),
      summary: (texts: .dense("classifier_dense", .tanh), choices: .pooler), isStored: isStored)
    // Positions count from behind a padding token that is not the config's.
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(
        width: sizes.width, positions: PositionTable(rows: sizes.positions, padToken: 1),
        norm: sizes.norm),
      distances: DistanceForm(buckets: Self.buckets, longest: 128),
      blocks: sizes.blocks(.normAfter, hasDistanceBias: true),
      pooler: head.poolerUse(isStored: isStored), head: head)
    if config.faults.isEmpty, sizes.positions < 3 {
      config.reject("max_position_embeddings \(sizes.positions) must be 3 or more")
    }
  }

  private static let buckets = 32
}
