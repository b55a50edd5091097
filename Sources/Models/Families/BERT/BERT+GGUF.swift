extension Dialect {
  /// BERT under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `bert`).
  ///
  /// The pooler and the pre-training heads have no place there. What llama.cpp computes stands in
  /// src/models/bert.cpp and in build_pooling of src/llama-graph.cpp.
  static let ggufBERT = Dialect(
    name: "gguf",
    architecture: BERT.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .rename("position_embd", "embeddings.position"),
      .rename("token_types", "embeddings.token_type"),
      .rename("token_embd_norm", "embeddings.norm"),
      layer("attn_q", "attention.query"),
      layer("attn_k", "attention.key"),
      layer("attn_v", "attention.value"),
      layer("attn_output", "attention.output"),
      layer("attn_output_norm", "attention_norm"),
      layer("ffn_up", "feed_forward.up"),
      layer("ffn_down", "feed_forward.down"),
      layer("layer_output_norm", "feed_forward_norm"),
      .rename("cls", "classifier"),
    ],
    limits: [
      .fact("activation", "gelu_new"), .fact("attention", "bidirectional"),
      .of(BERT.self, "the token type") {
        $0.tokenTypes > 1 ? ("any of \($0.tokenTypes) in the config", "always 0") : nil
      },
      .of(BERT.self, "the classifier") {
        $0.task == .tokenClassification
          ? ("on every token in the config", "with tanh, on the first one,") : nil
      },
    ],
    evidence: [.name("token_types.weight")],
    ownFiles: .gguf)

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("blk.{i}." + stored, "encoder.blocks.{i}." + path)
  }
}
