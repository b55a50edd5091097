import Models

/// With a class token alone.
public enum PlainViT: ViTMember {
  public static let name = "vit"
  public static let prefix = "ViT"
  public static let heads: [ImageHead] = [.base, .classification, .maskedImage]
  public static let classTokens = 1
}

/// With a second token, which learns from a teacher. Touvron et al., arXiv 2012.12877.
public enum DeiT: ViTMember {
  public static let name = "deit"
  public static let prefix = "DeiT"
  public static let heads: [ImageHead] = [
    .base, .classification, .classificationWithTeacher, .maskedImage,
  ]
  public static let classTokens = 2
}
