import Kernels
public import Models
import TensorCore

extension Family {
  /// MAE and its dialects.
  package static let mae = Family(
    members: [MAE.self], dialects: [.huggingFaceMAE, .originalMAE])
}

/// MAE: a Vision Transformer that sees some of a picture's patches, and with a decoder for pre-training makes the pixels
/// of all of them.
///
/// He et al.: "Masked Autoencoders Are Scalable Vision Learners", arXiv 2111.06377. Names, defaults and outputs are those
/// of Hugging Face (models/vit_mae/modeling_vit_mae.py, 5.x), where `noise` is random unless it is given; here nothing is
/// left out then.
public struct MAE: ImageEncoder {
  public static let name = "vit_mae"
  public static var classes: [(name: String, head: ImageHead)] {
    ImageHead.classes(of: "ViTMAE", [.base, .pretraining])
  }

  public let form: ImageEncoderForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["norm_pix_loss"])
    let sizes = config.imageSizes(.init())
    let hidden = config.count("intermediate_size", default: 3072, on: .weights)
    let share = config.positive("mask_ratio", default: 0.75, usual: [0.75, 0.5])
    let head = config.imageHead(Self.classes, isStored: isStored)
    let isWhole = head.task == .pretraining
    let bearing: ConfigFact.Bearing = isWhole ? .weights : .nothing
    var own = sizes
    own.width = config.count("decoder_hidden_size", default: 512, on: bearing)
    own.layers = config.count(
      "decoder_num_hidden_layers", default: 8, limit: ConfigReader.mostLayers, minimum: 0,
      on: bearing)
    own.heads = config.count(
      "decoder_num_attention_heads", default: 16,
      on: isWhole ? .outputs(as: "decoder_heads") : .nothing)
    let ownHidden = config.count("decoder_intermediate_size", default: 2048, on: bearing)
    func blocks(_ sizes: ImageSizes, _ hidden: Int) -> [BlockForm] {
      sizes.blocks(FeedForwardForm(hidden: hidden, activation: sizes.activation))
    }
    if isWhole {
      config.rejectUndivided(
        own.width, "decoder_hidden_size", by: own.heads, "decoder_num_attention_heads")
    }
    var form = ImageEncoderForm(
      width: sizes.width,
      embedding: ImageEmbeddingForm(
        channels: sizes.channels, image: sizes.image, patch: sizes.patch,
        masking: .leavingOut(min(share, 1))),
      blocks: blocks(sizes, hidden), norm: sizes.norm, head: head)
    form.embedding.otherSizes = sizes.resizing()
    if isWhole { form.decoder = PatchDecoderForm(width: own.width, blocks: blocks(own, ownHidden)) }
    self.form = form
    if config.faults.isEmpty, share >= 1 { config.reject("mask_ratio \(share) leaves no patch") }
    config.refuseUnlessSquare(sizes)
  }
}
