import Kernels
public import Models
import TensorCore

extension Family {
  /// DINOv3's Vision Transformer and its dialects.
  package static let dinov3 = Family(
    members: [DINOv3.self],
    processors: [
      PictureProcessor(
        "DINOv3ViTImageProcessor", size: .exact(height: 224, width: 224), resampling: 2, .imageNet,
        rescalesFirst: true)
    ],
    dialects: [.huggingFaceDINOv3])
}

/// DINOv3: a Vision Transformer whose patches have rotary positions in two dimensions, behind a class token and
/// registers, and whose layers' results are scaled, number by number.
///
/// Siméoni et al.: "DINOv3", arXiv 2508.10104. Names, defaults and outputs are those of Hugging Face
/// (models/dinov3_vit/modeling_dinov3_vit.py, 5.x).
public struct DINOv3: ImageEncoder {
  public static let name = "dinov3_vit"
  public static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: "DINOv3ViT", [.base])
  }

  public let form: ImageEncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    // Positions are shifted, stretched and jittered in training alone.
    config.disregard([
      "pos_embed_shift", "pos_embed_jitter", "pos_embed_rescale", "drop_path_rate",
      "layerscale_value", "out_features", "out_indices", "stage_names", "apply_layernorm",
      "reshape_hidden_states",
    ])
    let sizes = config.imageSizes(.init(width: 384, heads: 6, epsilon: 1e-5, saysBias: false))
    let hidden = config.count("intermediate_size", default: 1536, on: .weights)
    let isGated = config.flag("use_gated_mlp", default: false, on: .weights)
    let hasBias = config.flag("mlp_bias", default: true, on: .weights)
    let base = config.positive("rope_theta", default: 100, usual: [100, 10_000])
    let registers = config.count(
      "num_register_tokens", default: 0, limit: 1 << 16, minimum: 0, on: .weights)
    var blocks = sizes.blocks(
      FeedForwardForm(
        hidden: hidden, activation: sizes.activation, isGated: isGated, hasBias: hasBias),
      isScaled: true)
    let query = config.flag("query_bias", default: true, on: .weights)
    let key = config.flag("key_bias", default: false, on: .weights)
    let value = config.flag("value_bias", default: true, on: .weights)
    let output = config.flag("proj_bias", default: true, on: .weights)
    for index in blocks.indices {
      blocks[index].attention.shape.rotary = RotaryPart(.halves, size: sizes.headSize)
      blocks[index].attention.hasBias = query
      (blocks[index].attention.hasKeyBias, blocks[index].attention.hasValueBias) = (key, value)
      blocks[index].attention.hasOutputBias = output
    }
    if config.faults.isEmpty, !sizes.headSize.isMultiple(of: 4) {
      config.reject(
        "hidden_size / num_attention_heads is \(sizes.headSize): two dimensions of positions need a"
          + " multiple of 4")
    }
    if config.faults.isEmpty, base == 0 { config.reject("rope_theta is 0") }
    var embedding = ImageEmbeddingForm(
      channels: sizes.channels, image: sizes.image, patch: sizes.patch, registers: registers,
      hasPositions: false, rotary: PlaneRotary(base: base, size: sizes.headSize), masking: .token)
    embedding.otherSizes = .computed
    form = ImageEncoderForm(
      width: sizes.width, embedding: embedding,
      blocks: blocks, norm: sizes.norm, pooler: .state,
      head: config.imageHead(Self.classes, isStored: isStored))
  }
}
