public import Encoders
import Kernels
public import Models
import TensorCore

/// SigLIP's encoder of texts: positions see all of a text, and what a linear layer makes of the last one, be it
/// padding, stands for it.
public struct SigLIPText<Member: SigLIPMember>: TextEncoder {
  public static var name: String { Member.name + "_text_model" }
  public static var classes: [(name: String, head: EncoderHead)] {
    EncoderHead.classes(of: Member.prefix + "Text", [.base])
  }

  public let form: EncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["initializer_factor"])
    _ = config.head(Self.classes) { EncoderHead.base }
    form = config.siglipTexts()
  }
}

extension ConfigReader {
  /// SigLIP's encoder of texts.
  mutating func siglipTexts() -> EncoderForm {
    let sizes = encoderSizes(
      .init(
        vocabulary: 32000, positions: 64, activation: .geluTanh, epsilon: 1e-6,
        mayBeCausal: false))
    let width = optionalCount("projection_size", on: .weights) ?? sizes.width
    var form = EncoderForm(
      vocabulary: sizes.vocabulary, width: sizes.width,
      embedding: TextEmbeddingForm(
        width: sizes.width, positions: PositionTable(rows: sizes.positions)),
      blocks: sizes.blocks(.normBefore), norm: sizes.norm,
      head: EncoderHeadForm(task: .base, norm: sizes.norm))
    form.summary = TextSummary(.last, width: width)
    form.showsStateBeforeNorm = true
    return form
  }
}
