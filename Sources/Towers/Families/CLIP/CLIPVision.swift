import Kernels
public import Models
import TensorCore
public import Vision

/// CLIP's encoder of pictures: tokens are normalised before the first block, and after the last one the class token
/// alone.
public struct CLIPVision: ImageEncoder {
  public static let name = "clip_vision_model"
  public static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: "CLIPVision", [.base, .projection])
  }

  public let form: ImageEncoderForm

  public static func className(as part: ModelPart) -> String? {
    part == .pictures ? "CLIPVisionModel" : nil
  }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["initializer_factor"])
    let head = config.head(Self.classes) { ImageHead(isStored: isStored) }
    let projection = config.count(
      "projection_dim", default: 512, on: head == .projection ? .weights : .nothing)
    form = config.clipPictures(head: head, projection: projection)
  }
}

extension ConfigReader {
  /// CLIP's encoder of pictures.
  mutating func clipPictures(
    head: ImageHead, labels: Int = 1, projection: Int = 1
  ) -> ImageEncoderForm {
    let sizes = imageSizes(
      .init(epsilon: 1e-5, patch: 32, activation: .quickGELU, saysBias: false))
    let hidden = count("intermediate_size", default: 3072, on: .weights)
    var embedding = ImageEmbeddingForm(
      channels: sizes.channels, image: sizes.image, patch: sizes.patch)
    embedding.hasBias = false
    embedding.norm = sizes.norm
    embedding.mayHoldPlaces = true
    embedding.otherSizes = sizes.resizing()
    var form = ImageEncoderForm(
      width: sizes.width, embedding: embedding,
      blocks: sizes.blocks(FeedForwardForm(hidden: hidden, activation: sizes.activation)),
      norm: sizes.norm, pooler: .state, head: ImageHeadForm(task: head, labels: labels))
    form.normsPooled = true
    form.head.projection = projection
    form.head.summary = .patches
    refuseUnlessSquare(sizes)
    return form
  }
}
