import Kernels
public import Models
import TensorCore

extension Family {
  /// ALBERT and its dialects.
  package static let albert = Family(
    members: [ALBERT.self], configNames: ["albert_config.json"], tokenizers: [.albert],
    dialects: [.huggingFaceALBERT, .googleALBERT])
}

/// ALBERT: a bidirectional Transformer encoder whose blocks share their weights, with narrow embeddings.
///
/// Lan et al.: "ALBERT", arXiv 1909.11942, §3.1. Names of heads, defaults and outputs are those of Hugging Face
/// (models/albert/modeling_albert.py, 5.x).
public struct ALBERT: TextEncoder {
  public static let name = "albert"
  public static let classes = EncoderHead.classes(
    of: "Albert",
    [
      .base, .preTraining, .maskedLM, .sequenceClassification, .multipleChoice,
      .tokenClassification, .questionAnswering,
    ])

  public let form: EncoderForm
  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.encoderSizes(
      .init(
        vocabulary: 30000, width: 4096, heads: 64, feedForward: 16384, activation: .geluTanh,
        sharesBlocks: true, mayBeCausal: false))
    let width = config.count("embedding_size", default: 128, on: .weights)
    let types = config.count("type_vocab_size", default: 2, on: .weights)
    config.disregard(Self.withoutEffect)
    var head = config.encoderHead(
      Self.classes,
      words: WordScoring(
        width: width, activation: sizes.activation, norm: sizes.norm, isTied: sizes.isTied,
        bias: .shared),
      summary: (texts: .pooler, choices: .pooler), isStored: isStored)
    head.pairOutput = "sop_logits"
    head.pairLabels = head.labels
    let groups = config.count(
      "num_hidden_groups", default: 1, limit: ConfigReader.mostLayers, on: .weights)
    let groupSize = config.count(
      "inner_group_num", default: 1, limit: ConfigReader.mostLayers, on: .weights)
    let weightsOf = config.blocksOfGroups(sizes.layers, groups: groups, size: groupSize)
    form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(
        width: width, projects: true, positions: PositionTable(rows: sizes.positions),
        tokenTypes: types, norm: sizes.norm),
      blocks: sizes.blocks(.normAfter, count: weightsOf.count), weightsOf: weightsOf,
      pooler: head.poolerUse(isStored: isStored), head: head)
  }

  /// Settings of training, and of code that read them once.
  private static let withoutEffect = [
    "classifier_dropout_prob", "down_scale_factor", "gap_size", "layers_to_keep",
    "net_structure_type", "num_memory_blocks",
  ]
}

extension ConfigReader {
  /// For each block of the pass the one whose weights it has: layers are spread over groups evenly.
  fileprivate mutating func blocksOfGroups(
    _ layers: Int, groups: Int, size: Int
  ) -> [SharedBlock] {
    guard faults.isEmpty else { return [] }
    guard groups <= layers else {
      reject("num_hidden_groups \(groups) is more than num_hidden_layers \(layers)")
      return []
    }
    guard layers * size <= Self.mostLayers else {
      reject("num_hidden_layers \(layers) of inner_group_num \(size) blocks each are too many")
      return []
    }
    // As Python's division and `int` do it.
    let perGroup = Double(layers) / Double(groups)
    return (0..<layers).flatMap { layer in
      let group = min(groups - 1, Int(Double(layer) / perGroup))
      return (0..<size).map { SharedBlock(group: group, index: $0) }
    }
  }
}
