import Models

extension Dialect {
  /// Both towers as Hugging Face transformers stores them (models/clip/modeling_clip.py, 4.x and 5.x).
  static var huggingFaceCLIP: Dialect {
    Dialect(
      name: "huggingface",
      architecture: CLIP.name,
      rules: [
        .huggingFaceTextTower("text_model.", "text."),
        .huggingFaceVisionTower("vision_model.", "vision."),
        .rename("text_projection", "text_projection"),
        .rename("visual_projection", "visual_projection"),
        .tensor("logit_scale", .weight("similarity.scale")),
        .rename("classifier", "vision.classifier"),
      ],
      evidence: [.name("logit_scale", without: "logit_bias", "visual.class_embedding")])
  }

  /// The encoder of texts.
  static var huggingFaceCLIPText: Dialect {
    Dialect(
      name: "huggingface",
      architecture: CLIPText.name,
      rules: [.huggingFaceTextTower(), .rename("text_projection", "text_projection")],
      prefixes: [OptionalPrefix(text: "text_model.") { $0 != "CLIPTextModel" }],
      evidence: [
        .name(
          "text_model.embeddings.token_embedding.weight", without: "logit_scale",
          "text_model.head.weight", "head.weight")
      ])
  }

  /// The encoder of pictures.
  static var huggingFaceCLIPVision: Dialect {
    Dialect(
      name: "huggingface",
      architecture: CLIPVision.name,
      rules: [.huggingFaceVisionTower(), .rename("visual_projection", "visual_projection")],
      prefixes: [OptionalPrefix(text: "vision_model.") { $0 != "CLIPVisionModel" }],
      evidence: [
        .name(
          "vision_model.embeddings.class_embedding", without: "logit_scale", "classifier.weight")
      ])
  }
}
