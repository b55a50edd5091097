import Models

extension Dialect {
  /// StarCoder2 as Hugging Face transformers stores it (models/starcoder2/modeling_starcoder2.py, 5.x).
  static let huggingFaceStarCoder2 = Dialect(
    name: "huggingface",
    architecture: StarCoder2.name,
    rules: [
      .rename("model.embed_tokens", "embeddings.word"),
      layer("input_layernorm", "attention_norm"),
      layer("self_attn.q_proj", "attention.query"),
      layer("self_attn.k_proj", "attention.key"),
      layer("self_attn.v_proj", "attention.value"),
      layer("self_attn.o_proj", "attention.output"),
      layer("post_attention_layernorm", "feed_forward_norm"),
      layer("mlp.c_fc", "feed_forward.up"),
      layer("mlp.c_proj", "feed_forward.down"),
      .rename("model.norm", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      // Both classifiers call their matrix the same.
      .with("score.weight", .rename("score", "score")),
      .with("classifier.weight", .rename("score", "classifier")),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "Starcoder2Model" }],
    evidence: [.name("model.layers.0.mlp.c_fc.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("model.layers.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
