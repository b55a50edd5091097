import Models

extension Dialect {
  /// The members as Hugging Face transformers stores them (models/gemma/modeling_gemma.py and its kin, 5.x).
  static let huggingFaceGemma: [Dialect] = [
    huggingFaceGemma(
      Gemma1.self, base: "GemmaModel",
      norms: ["input_layernorm": "attention_norm", "post_attention_layernorm": "feed_forward_norm"]),
    huggingFaceGemma(Gemma2.self, base: "Gemma2Model", norms: normsAround),
    huggingFaceGemma(Gemma3.self, base: "Gemma3TextModel", norms: normsAround),
  ]

  private static let normsAround: ModuleNames = [
    "input_layernorm": "attention_norm", "post_attention_layernorm": "attention_post_norm",
    "pre_feedforward_layernorm": "feed_forward_norm",
    "post_feedforward_layernorm": "feed_forward_post_norm",
  ]

  private static func huggingFaceGemma(
    _ member: any GemmaMember.Type, base: String, norms: ModuleNames
  ) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: member.name,
      rules: [.huggingFaceDecoder(norms: norms)],
      prefixes: [OptionalPrefix(text: "model.") { $0 != base }],
      evidence: [.name("model.layers.0.self_attn.q_proj.weight")])
  }
}
