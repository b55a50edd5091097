import Models

extension Dialect {
  /// Falcon as Hugging Face transformers stores it (models/falcon/modeling_falcon.py, 5.x): queries, keys and
  /// values are one layer, each head of keys behind the queries that share it. What normalisations are called
  /// depends on how layers go together.
  static let huggingFaceFalcon = Dialect(
    name: "huggingface",
    architecture: Falcon.name,
    rules: [
      .rename("transformer.word_embeddings", "embeddings.word"),
      .having(
        "parallel_norms",
        layer("ln_attn", "attention_norm"),
        layer("ln_mlp", "feed_forward_norm")),
      .lacking(
        "parallel_norms",
        layer("input_layernorm", "attention_norm"),
        layer("post_attention_layernorm", "feed_forward_norm")),
      .tensor(stored + "self_attention.query_key_value.weight", .keyHeadByKeyHead(".weight")),
      .tensor(stored + "self_attention.query_key_value.bias", .keyHeadByKeyHead(".bias")),
      layer("self_attention.dense", "attention.output"),
      layer("mlp.dense_h_to_4h", "feed_forward.up"),
      layer("mlp.dense_4h_to_h", "feed_forward.down"),
      .rename("transformer.ln_f", "decoder.norm"),
      .rename("lm_head", "lm_head"),
      .rename("score", "score"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "FalconModel" }],
    evidence: [.name("transformer.word_embeddings.weight")])

  private static let stored = "transformer.h.{i}."

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename(Self.stored + stored, "decoder.blocks.{i}." + path)
  }
}
