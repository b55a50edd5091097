import Kernels
public import Models
import TensorCore
public import Vision

/// SigLIP's encoder of pictures: patches alone, and what a learned vector sees in them stands for a picture.
public struct SigLIPVision<Member: SigLIPMember>: ImageEncoder {
  public static var name: String { Member.name + "_vision_model" }
  public static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: Member.prefix + "Vision", [.base])
  }

  public let form: ImageEncoderForm

  public static func className(as part: ModelPart) -> String? {
    // Lists of patches stand in no text that is read.
    part == .pictures && !Member.readsLists ? "SiglipVisionModel" : nil
  }

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["initializer_factor"])
    _ = config.head(Self.classes) { ImageHead.base }
    form = config.siglipPictures(Member.self, head: .base)
  }
}

extension ConfigReader {
  /// SigLIP's encoder of pictures.
  mutating func siglipPictures<Member: SigLIPMember>(
    _: Member.Type, head: ImageHead, labels: Int = 1
  ) -> ImageEncoderForm {
    let side = Member.readsLists ? gridSide() : nil
    let sizes = imageSizes(
      .init(epsilon: 1e-6, patch: 16, activation: .geluTanh, saysBias: false), side: side)
    let hidden = count("intermediate_size", default: 3072, on: .weights)
    let hasPooler = flag("vision_use_head", default: true, on: .weights)
    let feedForward = FeedForwardForm(hidden: hidden, activation: sizes.activation)
    var embedding = ImageEmbeddingForm(
      channels: sizes.channels, image: sizes.image, patch: sizes.patch, classTokens: 0)
    embedding.mayHoldPlaces = !Member.readsLists
    embedding.otherSizes = sizes.resizing()
    embedding.isOfLists = Member.readsLists
    let seen = AttentionShape(heads: sizes.heads, headSize: sizes.headSize, isCross: true)
    var form = ImageEncoderForm(
      width: sizes.width, embedding: embedding, blocks: sizes.blocks(feedForward),
      norm: sizes.norm, pooler: hasPooler ? .attention(seen, feedForward) : nil,
      head: ImageHeadForm(task: head, labels: labels))
    form.head.summary = .patches
    if Member.readsLists {
      for layer in form.blocks.indices {
        form.blocks[layer].attention.mask = ImageEncoderForm.maskOfLists
      }
    }
    refuseUnlessSquare(sizes)
    return form
  }

  /// How many rows and columns of patches there are positions of.
  private mutating func gridSide() -> Int {
    let key = "num_patches"
    let patches = count(key, default: 256, limit: 1 << 20, on: .weights)
    let side = (1...1024).last { $0 * $0 <= patches } ?? 1
    if side * side != patches { reject("\(key) is \(patches), which is no square") }
    return side
  }
}
