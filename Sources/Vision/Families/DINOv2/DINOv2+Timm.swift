import Models

extension Dialect {
  /// DINOv2 without registers as timm stores it (timm/models/vision_transformer.py): there is no mask token, and no
  /// classifier.
  static var timmDINOv2: Dialect {
    Dialect(
      name: "timm",
      architecture: PlainDINOv2.name,
      rules: [.timmImageEncoder()],
      limits: [.fact("epsilon", "\(1e-6)"), .activation("gelu")],
      evidence: [.name("blocks.{i}.ls1.gamma", without: "reg_token")])
  }
}
