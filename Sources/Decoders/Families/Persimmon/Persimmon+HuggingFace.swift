import Models

extension Dialect {
  /// Persimmon as Hugging Face transformers stores it (models/persimmon/modeling_persimmon.py, 5.x): queries,
  /// keys and values are one layer, head by head.
  static let huggingFacePersimmon = Dialect(
    name: "huggingface",
    architecture: Persimmon.name,
    rules: [
      .rename("model.embed_tokens", "embeddings.word"),
      layer("input_layernorm", "attention_norm"),
      .tensor(stored + "self_attn.query_key_value.weight", .keyHeadByKeyHead(".weight")),
      .tensor(stored + "self_attn.query_key_value.bias", .keyHeadByKeyHead(".bias")),
      layer("self_attn.q_layernorm", "attention.query_norm"),
      layer("self_attn.k_layernorm", "attention.key_norm"),
      layer("self_attn.dense", "attention.output"),
      layer("post_attention_layernorm", "feed_forward_norm"),
      layer("mlp.dense_h_to_4h", "feed_forward.up"),
      layer("mlp.dense_4h_to_h", "feed_forward.down"),
      .rename("model.final_layernorm", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      // Both classifiers call their matrix the same.
      .with("score.weight", .rename("score", "score")),
      .with("classifier.weight", .rename("score", "classifier")),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "PersimmonModel" }],
    evidence: [
      .name("model.layers.0.self_attn.query_key_value.weight"),
      .name("model.final_layernorm.weight"),
    ])

  private static let stored = "model.layers.{i}."

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename(Self.stored + stored, "decoder.blocks.{i}." + path)
  }
}
