import Models
import TensorCore

extension Dialect {
  /// DistilBERT under the tensor names of GGUF, where it is a BERT without types of tokens (gguf's `tensor_mapping`,
  /// architecture `bert`; llama.cpp: conversion/bert.py). Heads have no place there.
  static let ggufDistilBERT = Dialect(
    name: "gguf",
    architecture: DistilBERT.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .rename("position_embd", "embeddings.position"),
      .rename("token_embd_norm", "embeddings.norm"),
      .encoderBlocks(
        "blk.{i}.",
        [
          "attn_q": "attention.query", "attn_k": "attention.key", "attn_v": "attention.value",
          "attn_output": "attention.output", "attn_output_norm": "attention_norm",
          "ffn_up": "feed_forward.up", "ffn_down": "feed_forward.down",
          "layer_output_norm": "feed_forward_norm",
        ]),
    ],
    nativeConfig: .ggufDistilBERT,
    // src/models/bert.cpp, whose `gelu` is the tanh form.
    limits: [.fact("activation", "gelu_new")],
    evidence: [.name("blk.0.layer_output_norm.weight", without: "token_types.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of DistilBERT. The file does not say the activation, which llama.cpp has but one of.
  fileprivate static let ggufDistilBERT = NativeConfig.gguf(
    GGUFConfig<DistilBERT>(
      architecture: "bert", className: "DistilBertModel",
      names: [
        "block_count": "n_layers", "embedding_length": "dim", "feed_forward_length": "hidden_dim",
        "attention.head_count": "n_heads", "context_length": "max_position_embeddings",
      ],
      facts: { facts in
        var members: [JSONValue.Member] = [.init("activation", "gelu_new")]
        if let rows = facts.shape("position_embd.weight")?.first {
          members.append(.init("max_position_embeddings", .number(rows)))
        }
        return members
      },
      isMember: { !$0.has("token_types.weight") }))
}
