import Models

extension Dialect {
  /// Phi as Hugging Face transformers stores it (models/phi/modeling_phi.py, 5.x).
  static let huggingFacePhi = Dialect(
    name: "huggingface",
    architecture: Phi.name,
    rules: [
      .rename("model.embed_tokens", "embeddings.word"),
      layer("input_layernorm", "attention_norm"),
      layer("self_attn.q_proj", "attention.query"),
      layer("self_attn.k_proj", "attention.key"),
      layer("self_attn.v_proj", "attention.value"),
      layer("self_attn.q_layernorm", "attention.query_norm"),
      layer("self_attn.k_layernorm", "attention.key_norm"),
      layer("self_attn.dense", "attention.output"),
      layer("mlp.fc1", "feed_forward.up"),
      layer("mlp.fc2", "feed_forward.down"),
      .rename("model.final_layernorm", "decoder.norm"),
      heads,
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "PhiModel" }],
    evidence: [.name("model.final_layernorm.weight")])

  /// Phi-3 as Hugging Face transformers stores it (models/phi3/modeling_phi3.py, 5.x): queries, keys and values
  /// are one layer, gate and units another.
  static let huggingFacePhi3 = Dialect(
    name: "huggingface",
    architecture: Phi3.name,
    rules: [
      .rename("model.embed_tokens", "embeddings.word"),
      layer("input_layernorm", "attention_norm"),
      .tensor("model.layers.{i}.self_attn.qkv_proj.weight", .phiQueryKeyValue),
      layer("self_attn.o_proj", "attention.output"),
      layer("post_attention_layernorm", "feed_forward_norm"),
      .tensor("model.layers.{i}.mlp.gate_up_proj.weight", .phiGateAndUp),
      layer("mlp.down_proj", "feed_forward.down"),
      .rename("model.norm", "decoder.norm"),
      heads,
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "Phi3Model" }],
    evidence: [.name("model.layers.0.self_attn.qkv_proj.weight")])

  /// Both classifiers call their matrix the same.
  private static let heads: [Rule] =
    .rename("lm_head", "lm_head") + .with("score.weight", .rename("score", "score"))
    + .with("classifier.weight", .rename("score", "classifier"))

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("model.layers.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}

extension Layout {
  /// Phi-3's queries of all heads, then keys, then values.
  static let phiQueryKeyValue = Layout.joined(
    ["query", "key", "value"].map { .weight("decoder.blocks.{i}.attention.\($0).weight") }, axis: 0)

  /// Phi-3's gates of all units, then the units.
  static let phiGateAndUp = Layout.joined(
    ["gate", "up"].map { .weight("decoder.blocks.{i}.feed_forward.\($0).weight") }, axis: 0)
}
