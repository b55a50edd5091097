import Encoders
public import Models
import TensorCore
import Vision

extension Family {
  /// SigLIP, its two towers alone, and their dialects.
  package static let siglip = Family(
    members: [
      SigLIP<FirstSigLIP>.self, SigLIPText<FirstSigLIP>.self, SigLIPVision<FirstSigLIP>.self,
      SigLIP<SigLIP2>.self, SigLIPText<SigLIP2>.self, SigLIPVision<SigLIP2>.self,
    ],
    processors: [
      PictureProcessor(
        "SiglipImageProcessor", size: .exact(height: 224, width: 224), resampling: 3, .half,
        isSquare: false),
      PictureProcessor(
        "Siglip2ImageProcessor", size: .patches(16, most: 256), resampling: 2, .half),
    ],
    dialects: [
      .huggingFaceSigLIP(FirstSigLIP.self), .huggingFaceSigLIPText(FirstSigLIP.self),
      .huggingFaceSigLIPVision(FirstSigLIP.self), .huggingFaceSigLIP(SigLIP2.self),
      .huggingFaceSigLIPText(SigLIP2.self), .huggingFaceSigLIPVision(SigLIP2.self),
      .ggufSigLIPVision,
    ])
}

/// What the members of the family differ in.
public protocol SigLIPMember: Sendable {
  /// The config's `model_type`.
  static var name: String { get }
  /// What its classes' names begin with.
  static var prefix: String { get }
  /// Whether pictures are lists of patches, of as many rows and columns as each has.
  static var readsLists: Bool { get }
}

/// SigLIP itself.
public enum FirstSigLIP: SigLIPMember {
  public static let name = "siglip"
  public static let prefix = "Siglip"
  public static let readsLists = false
}

/// SigLIP 2 for pictures of any proportions. Tschannen et al., arXiv 2502.14786.
public enum SigLIP2: SigLIPMember {
  public static let name = "siglip2"
  public static let prefix = "Siglip2"
  public static let readsLists = true
}

/// SigLIP: texts and pictures that are compared pair by pair, or a classifier of pictures on its encoder of them.
///
/// Zhai et al.: "Sigmoid Loss for Language Image Pre-Training", arXiv 2303.15343. Names, defaults and outputs are those
/// of Hugging Face (models/siglip, models/siglip2, 5.x).
public struct SigLIP<Member: SigLIPMember>: TwoTowers {
  public static var name: String { Member.name }

  public let head: String
  public let form: TwoTowersForm

  public init(config: inout ConfigReader, isStored: (String) -> Bool) {
    config.disregard(["initializer_factor"])
    let labels = config.labelCount()
    let head = config.towersHead(Member.prefix, isStored: isStored)
    let text = config.tower("text", isRead: !head.classifies) { $0.siglipTexts() }
    let pictures = config.tower("vision") { reader in
      reader.siglipPictures(
        Member.self, head: head.classifies ? .classification : .base, labels: labels)
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
