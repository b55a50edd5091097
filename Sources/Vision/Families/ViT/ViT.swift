import Kernels
public import Models
import TensorCore

extension Family {
  /// The Vision Transformer, its members and their dialects.
  package static let vit = Family(
    members: [ViT<PlainViT>.self, ViT<DeiT>.self],
    configNames: ["config.json"],
    processors: [
      PictureProcessor(
        "ViTImageProcessor", size: .exact(height: 224, width: 224), resampling: 2, .half),
      PictureProcessor(
        "DeiTImageProcessor", size: .exact(height: 256, width: 256), crop: [224, 224],
        resampling: 3, .half),
    ],
    dialects: [
      .huggingFace(PlainViT.self), .huggingFaceModules(PlainViT.self), .timm(PlainViT.self),
      .googleViT, .huggingFace(DeiT.self), .huggingFaceModules(DeiT.self), .timm(DeiT.self),
    ])
}

/// What members of the family differ in.
public protocol ViTMember: Sendable {
  /// The config's `model_type`.
  static var name: String { get }
  /// What classes begin with.
  static var prefix: String { get }
  /// The heads that there are classes for.
  static var heads: [ImageHead] { get }
  /// How many tokens stand before the patches.
  static var classTokens: Int { get }
}

/// The Vision Transformer: patches of a picture behind a class token, with learned positions, through blocks that
/// are normalised before.
///
/// Dosovitskiy et al.: "An Image is Worth 16x16 Words", arXiv 2010.11929. Names of heads, defaults and outputs are
/// those of Hugging Face (models/vit/modeling_vit.py, models/deit/modeling_deit.py, 5.x).
public struct ViT<Member: ViTMember>: ImageEncoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: Member.prefix, Member.heads)
  }

  public let form: ImageEncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    let sizes = config.imageSizes(.init())
    let hidden = config.count("intermediate_size", default: 3072, on: .weights)
    var head = config.imageHead(Self.classes, isStored: isStored)
    let isMasked = head.task == .maskedImage
    head.stride = config.count(
      "encoder_stride", default: 16, limit: 1 << 16, on: isMasked ? .weights : .nothing)
    let hasPooler = head.task == .base && isStored("pooler.weight")
    let pooled =
      config.optionalCount("pooler_output_size", on: hasPooler ? .weights : .nothing) ?? sizes.width
    let activation = config.activation(
      "pooler_act", default: .tanh, on: hasPooler ? .outputs : .nothing)
    var form = ImageEncoderForm(
      width: sizes.width,
      embedding: ImageEmbeddingForm(
        channels: sizes.channels, image: sizes.image, patch: sizes.patch,
        classTokens: Member.classTokens, masking: isMasked ? .token : .none),
      blocks: sizes.blocks(FeedForwardForm(hidden: hidden, activation: sizes.activation)),
      norm: sizes.norm,
      pooler: hasPooler ? .dense(width: pooled, activation) : nil, head: head)
    if !isMasked { form.embedding.otherSizes = sizes.resizing() }
    if config.faults.isEmpty, isMasked, form.embedding.grid[0] != form.embedding.grid[1] {
      config.refuse("masked pictures that are not as many patches high as wide are not supported")
    }
    self.form = form
  }
}
