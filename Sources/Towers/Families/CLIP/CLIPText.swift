public import Encoders
import Kernels
public import Models
import TensorCore

/// CLIP's encoder of texts: positions see what is before them, and the end of a text stands for it.
public struct CLIPText: TextEncoder {
  public static let name = "clip_text_model"
  public static let classes = EncoderHead.classes(of: "CLIPText", [.base, .projection])

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["initializer_factor"])
    let head = config.head(Self.classes) { EncoderHead(isStored: isStored) }
    let projection = config.optionalCount(
      "projection_dim", default: 512, on: head == .projection ? .weights : .nothing)
    if head == .projection, projection == nil { config.reject("projection_dim is null") }
    form = config.clipTexts(head: head, projection: projection ?? 1)
  }
}

extension ConfigReader {
  /// CLIP's encoder of texts.
  mutating func clipTexts(head: EncoderHead, projection: Int = 1) -> EncoderForm {
    var sizes = encoderSizes(
      .init(
        vocabulary: 49408, width: 512, heads: 8, feedForward: 2048, positions: 77,
        activation: .quickGELU, epsilon: 1e-5, mayBeCausal: false))
    sizes.isCausal = true
    let end = token("eos_token_id", default: 49407, on: .outputs)
    if end == nil { reject("eos_token_id is null: it is the token whose state stands for a text") }
    var form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(
        width: sizes.width, positions: PositionTable(rows: sizes.positions)),
      blocks: sizes.blocks(.normBefore), norm: sizes.norm,
      head: EncoderHeadForm(task: head, norm: sizes.norm, projection: projection))
    // Configs of before transformers 4.31 have an id there that is no end, and the end is the largest id.
    form.summary = TextSummary(end == 2 ? .largestID : .firstOf(end ?? 0))
    form.showsStateBeforeNorm = true
    return form
  }
}
