import Models

extension Dialect {
  /// XGLM as Hugging Face transformers stores it (models/xglm/modeling_xglm.py, 5.x). The vectors of positions
  /// were once among the weights.
  static let huggingFaceXGLM = Dialect(
    name: "huggingface",
    architecture: XGLM.name,
    rules: [
      .rename("model.embed_tokens", "embeddings.word"),
      .tensor("model.embed_positions.weights", .weight("embeddings.sinusoids")),
      layer("self_attn_layer_norm", "attention_norm"),
      layer("self_attn.q_proj", "attention.query"),
      layer("self_attn.k_proj", "attention.key"),
      layer("self_attn.v_proj", "attention.value"),
      layer("self_attn.out_proj", "attention.output"),
      layer("final_layer_norm", "feed_forward_norm"),
      layer("fc1", "feed_forward.up"),
      layer("fc2", "feed_forward.down"),
      .rename("model.layer_norm", "decoder.norm"),
      .rename("lm_head", "lm_head"),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "XGLMModel" }],
    evidence: [.name("model.layer_norm.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("model.layers.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
