import Models

extension Dialect {
  /// BLOOM as Hugging Face transformers stores it (models/bloom/modeling_bloom.py, 5.x): queries, keys and
  /// values are one layer, head by head.
  static let huggingFaceBLOOM = Dialect(
    name: "huggingface",
    architecture: BLOOM.name,
    rules: [
      .rename("transformer.word_embeddings", "embeddings.word"),
      .rename("transformer.word_embeddings_layernorm", "embeddings.norm"),
      layer("input_layernorm", "attention_norm"),
      layer("post_attention_layernorm", "feed_forward_norm"),
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
    prefixes: [OptionalPrefix(text: "transformer.") { $0 != "BloomModel" }],
    evidence: [.name("transformer.word_embeddings_layernorm.weight")])

  private static let stored = "transformer.h.{i}."

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename(Self.stored + stored, "decoder.blocks.{i}." + path)
  }
}
