import Models

extension Dialect {
  /// OPT as Hugging Face transformers stores it (models/opt/modeling_opt.py, 5.x).
  static let huggingFaceOPT = Dialect(
    name: "huggingface",
    architecture: OPT.name,
    rules: [
      .rename("model.decoder.embed_tokens", "embeddings.word"),
      .rename("model.decoder.embed_positions", "embeddings.position"),
      .rename("model.decoder.project_in", "embeddings.projection"),
      layer("self_attn_layer_norm", "attention_norm"),
      layer("self_attn.q_proj", "attention.query"),
      layer("self_attn.k_proj", "attention.key"),
      layer("self_attn.v_proj", "attention.value"),
      layer("self_attn.out_proj", "attention.output"),
      layer("final_layer_norm", "feed_forward_norm"),
      layer("fc1", "feed_forward.up"),
      layer("fc2", "feed_forward.down"),
      .rename("model.decoder.final_layer_norm", "decoder.norm"),
      .rename("model.decoder.project_out", "decoder.projection"),
      .rename("lm_head", "lm_head"),
      .rename("score", "score"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "OPTModel" }],
    evidence: [.name("model.decoder.embed_positions.weight")])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("model.decoder.layers.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
