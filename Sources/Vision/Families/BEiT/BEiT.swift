import Kernels
public import Models
import TensorCore

extension Family {
  /// BEiT and its dialects.
  package static let beit = Family(
    members: [BEiT.self],
    processors: [
      PictureProcessor(
        "BeitImageProcessor", size: .exact(height: 224, width: 224), resampling: 3, .half)
    ],
    dialects: [.huggingFaceBEiT, .timmBEiT])
}

/// BEiT: a Vision Transformer that knows patches by their places beside each other, whose layers' results are scaled,
/// and that is classified by the mean of its patches.
///
/// Bao et al.: "BEiT: BERT Pre-Training of Image Transformers", arXiv 2106.08254. Names of heads, defaults and outputs
/// are those of Hugging Face (models/beit/modeling_beit.py, 5.x), without segmentation.
public struct BEiT: ImageEncoder {
  public static let name = "beit"
  public static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: "Beit", [.base, .classification, .maskedWords])
  }

  public let form: ImageEncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    // Settings of training, and of segmentation.
    config.disregard([
      "attention_probs_dropout_prob", "hidden_dropout_prob", "drop_path_rate", "pool_scales",
      "use_auxiliary_head", "auxiliary_loss_weight", "auxiliary_channels", "auxiliary_num_convs",
      "auxiliary_concat_input", "semantic_loss_ignore_index", "segmentation_indices", "add_fpn",
      "out_features", "out_indices", "stage_names", "reshape_hidden_states",
    ])
    let sizes = config.imageSizes(.init(saysBias: false))
    let hidden = config.count("intermediate_size", default: 3072, on: .weights)
    let isScaled = config.positive("layer_scale_init_value", default: 0.1, on: .weights) > 0
    let hasPositions = config.flag("use_absolute_position_embeddings", default: false, on: .weights)
    let bias = PlaceBias(
      isShared: config.flag("use_shared_relative_position_bias", default: false, on: .weights),
      isOfBlocks: config.flag("use_relative_position_bias", default: false, on: .weights))
    let hasMask = config.flag("use_mask_token", default: false, on: .weights)
    let isMean = config.flag("use_mean_pooling", default: true, on: .weights)
    var head = config.imageHead(Self.classes, isStored: isStored)
    let isOfWords = head.task == .maskedWords
    head.words = config.count("vocab_size", default: 8192, on: isOfWords ? .weights : .nothing)
    head.summary = .pooled
    var blocks = sizes.blocks(
      FeedForwardForm(hidden: hidden, activation: sizes.activation), isScaled: isScaled)
    let hasBias = bias.isShared || bias.isOfBlocks
    for index in blocks.indices {
      blocks[index].attention.hasKeyBias = false
      blocks[index].attention.hasPairBias = hasBias
      blocks[index].attention.shape.hasHeadBias = hasBias
    }
    var form = ImageEncoderForm(
      width: sizes.width,
      embedding: ImageEmbeddingForm(
        channels: sizes.channels, image: sizes.image, patch: sizes.patch,
        hasPositions: hasPositions,
        masking: !hasMask ? .none : head.task == .classification ? .unread : .token),
      blocks: blocks, norm: sizes.norm,
      pooler: isOfWords ? nil : isMean ? .meanOfPatches : .state, head: head)
    form.placeBias = hasBias ? bias : nil
    form.embedding.otherSizes = hasPositions ? sizes.resizing() : .computed
    form.normsPooled = isMean
    self.form = form
    config.refuseUnlessSquare(sizes)
    if config.faults.isEmpty, isOfWords, !isMean {
      config.refuse(
        "use_mean_pooling is false, with which transformers does not read what it has saved of a"
          + " \(Self.classes[2].name)")
    }
  }
}
