import Encoders
public import Models
import TensorCore
import Vision

extension Family {
  /// SigLIP, its two towers alone, and their dialects.
  package static let siglip = Family(
    members: [SigLIP.self, SigLIPText.self, SigLIPVision.self],
    processors: [
      PictureProcessor(
        "SiglipImageProcessor", size: .exact(height: 224, width: 224), resampling: 3, .half,
        isSquare: false)
    ],
    dialects: [.huggingFaceSigLIP, .huggingFaceSigLIPText, .huggingFaceSigLIPVision])
}

/// SigLIP: texts and pictures that are compared pair by pair, or a classifier of pictures on its encoder of them.
///
/// Zhai et al.: "Sigmoid Loss for Language Image Pre-Training", arXiv 2303.15343. Names, defaults and outputs are those
/// of Hugging Face (models/siglip, 5.x).
public struct SigLIP: TwoTowers {
  public static let name = "siglip"

  public let head: String
  public let form: TwoTowersForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["initializer_factor"])
    let labels = config.labelCount()
    let head = config.towersHead("Siglip", isStored: isStored)
    let text = config.tower("text", isRead: !head.classifies) { $0.siglipTexts() }
    let pictures = config.tower("vision") { reader in
      reader.siglipPictures(head: head.classifies ? .classification : .base, labels: labels)
    }
    self.head = head.name
    form = TwoTowersForm(
      text: text, pictures: pictures,
      comparison: TwoTowersForm.Comparison(projection: nil, hasBias: true))
    guard config.faults.isEmpty, let width = text?.summary?.width else { return }
    if pictures.pooler == nil {
      config.reject("vision_use_head is false: nothing stands for a picture")
    } else if width != pictures.width {
      config.reject(
        "text_config.projection_size is \(width), vision_config.hidden_size \(pictures.width):"
          + " what is compared must be equally wide")
    }
  }
}
