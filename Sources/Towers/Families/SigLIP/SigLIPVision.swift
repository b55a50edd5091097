import Kernels
public import Models
import TensorCore
public import Vision

/// SigLIP's encoder of pictures: patches alone, and what a learned vector sees in them stands for a picture.
public struct SigLIPVision: ImageEncoder {
  public static let name = "siglip_vision_model"
  public static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: "SiglipVision", [.base])
  }

  public let form: ImageEncoderForm

  public static func className(as part: ModelPart) -> String? {
    part == .pictures ? "SiglipVisionModel" : nil
  }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["initializer_factor"])
    _ = config.head(Self.classes) { ImageHead.base }
    form = config.siglipPictures(head: .base)
  }
}

extension ConfigReader {
  /// SigLIP's encoder of pictures.
  mutating func siglipPictures(head: ImageHead, labels: Int = 1) -> ImageEncoderForm {
    let sizes = imageSizes(
      .init(epsilon: 1e-6, patch: 16, activation: .geluTanh, saysBias: false))
    let hidden = count("intermediate_size", default: 3072, on: .weights)
    let hasPooler = flag("vision_use_head", default: true, on: .weights)
    let feedForward = FeedForwardForm(hidden: hidden, activation: sizes.activation)
    var embedding = ImageEmbeddingForm(
      channels: sizes.channels, image: sizes.image, patch: sizes.patch, classTokens: 0)
    embedding.mayHoldPlaces = true
    embedding.otherSizes = sizes.resizing()
    let seen = AttentionShape(heads: sizes.heads, headSize: sizes.headSize, isCross: true)
    var form = ImageEncoderForm(
      width: sizes.width, embedding: embedding, blocks: sizes.blocks(feedForward),
      norm: sizes.norm, pooler: hasPooler ? .attention(seen, feedForward) : nil,
      head: ImageHeadForm(task: head, labels: labels))
    form.head.summary = .patches
    refuseUnlessSquare(sizes)
    return form
  }
}
