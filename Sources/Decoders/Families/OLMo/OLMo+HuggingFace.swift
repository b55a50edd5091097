import Models

extension Dialect {
  /// The members as Hugging Face transformers stores them (models/olmo/modeling_olmo.py and its kin, 5.x).
  static let huggingFaceOLMo: [Dialect] = [
    huggingFaceOLMo(OLMo1.self, norms: [:]),
    huggingFaceOLMo(OLMo2.self, norms: normsOfResults),
    huggingFaceOLMo(OLMo3.self, norms: normsOfResults),
  ]

  private static let normsOfResults: ModuleNames = [
    "post_attention_layernorm": "attention_post_norm",
    "post_feedforward_layernorm": "feed_forward_post_norm",
  ]

  private static func huggingFaceOLMo(
    _ member: any OLMoMember.Type, norms: ModuleNames
  ) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: member.name,
      rules: [.huggingFaceDecoder(norms: norms)],
      prefixes: [OptionalPrefix(text: "model.") { $0 != member.className + "Model" }],
      evidence: [.name("model.layers.0.self_attn.q_proj.weight")])
  }
}
