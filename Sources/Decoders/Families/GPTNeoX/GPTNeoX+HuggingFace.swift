import Models

extension Dialect {
  /// GPT-NeoX as Hugging Face transformers stores it (models/gpt_neox/modeling_gpt_neox.py and
  /// conversion_mapping.py, 5.x): queries, keys and values are one layer, head by head.
  ///
  /// Up to 4.30 each layer's mask and frequencies were among the weights.
  static let huggingFaceGPTNeoX = Dialect(
    name: "huggingface",
    architecture: GPTNeoX.name,
    rules: [
      .rename("gpt_neox.embed_in", "embeddings.word"),
      layer("input_layernorm", "attention_norm"),
      layer("post_attention_layernorm", "feed_forward_norm"),
      .tensor(stored + "attention.query_key_value.weight", .headByHead(".weight")),
      .tensor(stored + "attention.query_key_value.bias", .headByHead(".bias")),
      layer("attention.dense", "attention.output"),
      layer("mlp.dense_h_to_4h", "feed_forward.up"),
      layer("mlp.dense_4h_to_h", "feed_forward.down"),
      .tensor(
        stored + "attention.bias",
        .unit(.unit(.weight(block + "attention.causal_mask"), axis: 0), axis: 0)),
      layer("attention.masked_bias", "attention.masked_score"),
      layer("attention.rotary_emb.inv_freq", "attention.frequencies"),
      .rename("gpt_neox.final_layer_norm", "decoder.norm"),
      // The module is `lm_head`, which is written under its older name.
      .tensor("embed_out.weight", .weight("lm_head.weight"), copies: ["lm_head.weight"]),
      .rename("score", "score"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "gpt_neox.") { $0 != "GPTNeoXModel" }],
    evidence: [.name("gpt_neox.embed_in.weight")])

  private static let stored = "gpt_neox.layers.{i}."
  private static let block = "decoder.blocks.{i}."

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename(Self.stored + stored, block + path)
  }
}

extension Layout {
  /// Query, key and value of the first head, then those of the next: `[heads, 3, size]` rows.
  fileprivate static func headByHead(_ ending: String) -> Layout {
    let parts = ["query", "key", "value"].map { part -> Layout in
      .divided(
        .weight("decoder.blocks.{i}.attention.\(part)\(ending)"), axis: 0, inner: "head_size")
    }
    return .merged(.joined(parts, axis: 1), axis: 0)
  }
}
