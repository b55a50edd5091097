import Models
import TensorCore

extension Dialect {
  /// StarCoder2 under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `starcoder2`;
  /// llama.cpp: conversion/starcoder.py).
  ///
  /// Heads beside the language model's have no place there.
  static let ggufStarCoder2 = Dialect(
    name: "gguf",
    architecture: StarCoder2.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .ggufBlock("attn_norm", "attention_norm"),
      .ggufBlock("attn_q", "attention.query"),
      .ggufBlock("attn_k", "attention.key"),
      .ggufBlock("attn_v", "attention.value"),
      .ggufBlock("attn_output", "attention.output"),
      .ggufBlock("ffn_norm", "feed_forward_norm"),
      .ggufBlock("ffn_up", "feed_forward.up"),
      .ggufBlock("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      .rename("output", "lm_head"),
    ],
    nativeConfig: .ggufStarCoder2,
    limits: [
      .fact("activation", "gelu_new"),
      .rotaryScaling(StarCoder2.self, known: ["linear", "yarn"]),
      .truncatedYaRN(StarCoder2.self), .yarnWeights(StarCoder2.self),
      .noWindow(StarCoder2.self),
      .headsAsWideAsStream(StarCoder2.self),
      .of(StarCoder2.self, "use_bias") { model in
        model.form.blocks.allSatisfy(\.attention.hasBias) ? nil : ("false in the config", "true")
      },
      .headOfWords(StarCoder2.self),
    ],
    evidence: [.name("blk.0.attn_q.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of StarCoder2.
  fileprivate static let ggufStarCoder2 = NativeConfig.gguf(
    GGUFConfig<StarCoder2>(
      architecture: "starcoder2", className: "Starcoder2ForCausalLM",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.layer_norm_epsilon": "norm_epsilon",
        "context_length": "max_position_embeddings",
      ]))
}
