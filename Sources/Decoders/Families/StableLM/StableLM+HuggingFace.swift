import Models

extension Dialect {
  /// StableLM as Hugging Face transformers stores it (models/stablelm/modeling_stablelm.py, 5.x).
  static let huggingFaceStableLM = Dialect(
    name: "huggingface",
    architecture: StableLM.name,
    rules: [
      .rename("model.embed_tokens", "embeddings.word"),
      layer("input_layernorm", "attention_norm"),
      layer("self_attn.q_proj", "attention.query"),
      layer("self_attn.k_proj", "attention.key"),
      layer("self_attn.v_proj", "attention.value"),
      layer("self_attn.q_layernorm.norms.{e}", "attention.query_norm.{e}"),
      layer("self_attn.k_layernorm.norms.{e}", "attention.key_norm.{e}"),
      layer("self_attn.o_proj", "attention.output"),
      layer("post_attention_layernorm", "feed_forward_norm"),
      layer("mlp.gate_proj", "feed_forward.gate"),
      layer("mlp.up_proj", "feed_forward.up"),
      layer("mlp.down_proj", "feed_forward.down"),
      .rename("model.norm", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      // Both classifiers call their matrix the same.
      .with("score.weight", .rename("score", "score")),
      .with("classifier.weight", .rename("score", "classifier")),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "StableLmModel" }],
    evidence: [.name("model.layers.0.self_attn.q_proj.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("model.layers.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
