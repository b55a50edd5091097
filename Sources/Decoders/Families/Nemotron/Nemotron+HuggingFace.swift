import Models

extension Dialect {
  /// Nemotron as Hugging Face transformers stores it (models/nemotron/modeling_nemotron.py, 5.x).
  static let huggingFaceNemotron = Dialect(
    name: "huggingface",
    architecture: Nemotron.name,
    rules: [
      .huggingFaceDecoder(
        norms: [
          "input_layernorm": "attention_norm", "post_attention_layernorm": "feed_forward_norm",
        ],
        answering: "transformer")
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "NemotronModel" }],
    evidence: [
      .name("model.layers.0.self_attn.q_proj.weight"),
      .name("transformer.layers.0.self_attn.q_proj.weight"),
    ])
}
