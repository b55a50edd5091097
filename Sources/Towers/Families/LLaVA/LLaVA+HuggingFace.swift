import Models

extension Dialect {
  /// LLaVA as Hugging Face transformers stores it (models/llava/modeling_llava.py): parts under their own names behind
  /// those of the parts. Modules of 5.x have others, which no file that it saves has (conversion_mapping.py).
  static func huggingFaceLLaVA<Parts: FamilyList>(of _: Parts.Type) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: LLaVA<Parts>.name,
      rules: [
        .rename("multi_modal_projector.linear_1", "projector.up"),
        .rename("multi_modal_projector.linear_2", "projector.down"),
      ],
      parts: { config in
        [
          DialectPart(
            "vision", at: LLaVA<Parts>.pictureKey, storedAs: "vision_tower", as: .pictures,
            in: config, dialect: "huggingface", among: Parts.families),
          DialectPart(
            "text", at: LLaVA<Parts>.textKey, storedAs: "language_model", as: .words, in: config,
            dialect: "huggingface", among: Parts.families),
        ].compactMap(\.self)
      },
      otherBeginnings: [
        (other: "model.language_model.", usual: "language_model.model."),
        (other: "lm_head", usual: "language_model.lm_head"),
        (other: "model.vision_tower.", usual: "vision_tower."),
        (other: "model.multi_modal_projector.", usual: "multi_modal_projector."),
      ],
      evidence: [
        .name(
          "multi_modal_projector.linear_1.weight", without: "image_newline", "model.image_newline")
      ])
  }
}
