import Encoders
public import Models
import TensorCore
import Vision

extension Family {
  /// CLIP, its two towers alone, and their dialects.
  package static let clip = Family(
    members: [CLIP.self, CLIPText.self, CLIPVision.self],
    configNames: ["open_clip_config.json"],
    processors: [
      PictureProcessor(
        "CLIPImageProcessor", size: .shorterEdge(224, longest: nil), crop: [224, 224],
        resampling: 3, .pairs)
    ],
    tokenizers: [.clip],
    dialects: [
      .huggingFaceCLIP, .openCLIP, .huggingFaceCLIPText, .huggingFaceCLIPVision, .ggufCLIPVision,
    ])
}

/// CLIP: texts and pictures that are compared, or a classifier of pictures on its encoder of them.
///
/// Radford et al., arXiv 2103.00020. Names, defaults and outputs are those of Hugging Face (models/clip, 5.x).
public struct CLIP: TwoTowers {
  public static let name = "clip"

  public let head: String
  public let form: TwoTowersForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["logit_scale_init_value", "initializer_factor"])
    let labels = config.labelCount()
    let head = config.towersHead("CLIP", isStored: isStored)
    let projection = config.count(
      "projection_dim", default: 512, on: head.classifies ? .nothing : .weights)
    let text = config.tower("text", isRead: !head.classifies) { reader in
      reader.disregard(["projection_dim"])
      return reader.clipTexts(head: .base)
    }
    let pictures = config.tower("vision") { reader in
      reader.disregard(["projection_dim"])
      return reader.clipPictures(
        head: head.classifies ? .classification : .base, labels: labels)
    }
    self.head = head.name
    form = TwoTowersForm(
      text: text, pictures: pictures,
      comparison: TwoTowersForm.Comparison(projection: projection, hasBias: false))
  }
}
