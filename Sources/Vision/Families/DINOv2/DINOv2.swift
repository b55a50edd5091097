import Kernels
public import Models
import TensorCore

extension Family {
  /// DINOv2 with and without registers, and their dialects.
  package static let dinov2 = Family(
    members: [DINOv2<PlainDINOv2>.self, DINOv2<DINOv2WithRegisters>.self],
    processors: [
      PictureProcessor(
        "BitImageProcessor", size: .shorterEdge(224, longest: nil), crop: [224, 224],
        resampling: 3, .pairs)
    ],
    dialects: [
      .huggingFace(PlainDINOv2.self), .huggingFaceModules(PlainDINOv2.self), .timmDINOv2,
      .huggingFace(DINOv2WithRegisters.self), .huggingFaceModules(DINOv2WithRegisters.self),
    ])
}

/// What members of the family differ in.
public protocol DINOv2Member: Sendable {
  /// The config's `model_type`, and what names of tensors begin with.
  static var name: String { get }
  /// What classes begin with.
  static var prefix: String { get }
  /// How many registers there are where the config does not say.
  static var registers: Int? { get }
  /// Whether of a table of positions that becomes smaller more is read.
  static var resizesSmoothly: Bool { get }
}

/// DINOv2: a Vision Transformer whose layers' results are scaled, number by number, and that is classified by its
/// patches, too.
///
/// Oquab et al.: "DINOv2", arXiv 2304.07193; registers: Darcet et al., arXiv 2309.16588. Names of heads, defaults and
/// outputs are those of Hugging Face (models/dinov2, models/dinov2_with_registers, 5.x).
public struct DINOv2<Member: DINOv2Member>: ImageEncoder {
  public static var name: String { Member.name }
  public static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: Member.prefix, [.base, .classification])
  }

  public let form: ImageEncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard([
      "drop_path_rate", "layerscale_value", "out_features", "out_indices", "stage_names",
      "apply_layernorm", "reshape_hidden_states",
    ])
    let sizes = config.imageSizes(.init(epsilon: 1e-6, patch: 14))
    let ratio = config.positive("mlp_ratio", default: 4, on: .weights)
    let isGated = config.flag("use_swiglu_ffn", default: false, on: .weights)
    let registers = Member.registers.map {
      config.count("num_register_tokens", default: $0, limit: 1 << 16, minimum: 0, on: .weights)
    }
    let hasMask =
      registers != nil || config.flag("use_mask_token", default: true, on: .weights)
    var head = config.imageHead(Self.classes, isStored: isStored)
    head.summary = .firstAndPatches
    // What is no count of units is no network, and a config that says so has faults already or gets one.
    let product = Double(sizes.width) * ratio
    let whole = (1...Double(1 << 40)).contains(product) ? Int(product) : 0
    if config.faults.isEmpty, whole == 0 {
      config.reject("mlp_ratio \(ratio) gives no hidden units")
    }
    // Shazeer, arXiv 2002.05202, §2: two thirds as many, here in eights.
    let hidden = isGated ? (Int(Double(whole) * 2 / 3) + 7) / 8 * 8 : whole
    var form = ImageEncoderForm(
      width: sizes.width,
      embedding: ImageEmbeddingForm(
        channels: sizes.channels, image: sizes.image, patch: sizes.patch,
        registers: registers,
        masking: !hasMask ? .none : head.task == .base ? .token : .unread),
      blocks: sizes.blocks(
        FeedForwardForm(
          hidden: max(1, hidden), activation: isGated ? .silu : sizes.activation, isGated: isGated),
        isScaled: true),
      norm: sizes.norm, pooler: .state, head: head)
    form.embedding.otherSizes = sizes.resizing(isSmoothed: Member.resizesSmoothly)
    self.form = form
    if config.faults.isEmpty, sizes.image[0] != sizes.image[1] {
      config.refuse("pictures that are not as high as wide, whose positions are interpolated")
    }
  }
}
