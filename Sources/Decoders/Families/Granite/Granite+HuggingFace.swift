import Models

extension Dialect {
  /// Granite as Hugging Face transformers stores it (models/granite/modeling_granite.py, 5.x).
  static let huggingFaceGranite = Dialect(
    name: "huggingface",
    architecture: Granite.name,
    rules: [
      .huggingFaceDecoder(
        norms: [
          "input_layernorm": "attention_norm", "post_attention_layernorm": "feed_forward_norm",
        ])
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "GraniteModel" }],
    evidence: [.name("model.layers.0.self_attn.q_proj.weight")])
}
