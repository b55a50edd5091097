import Kernels
import Models
import TensorCore

extension Dialect {
  /// GPT-BigCode under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `starcoder`;
  /// llama.cpp: conversion/starcoder.py): queries, keys and values in one, block behind block.
  static let ggufGPTBigCode = Dialect(
    name: "gguf",
    architecture: GPTBigCode.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .rename("position_embd", "embeddings.position"),
      .ggufBlock("attn_norm", "attention_norm"),
      .tensor("blk.{i}.attn_qkv.weight", .partByPart(".weight")),
      .tensor("blk.{i}.attn_qkv.bias", .partByPart(".bias")),
      .ggufBlock("attn_output", "attention.output"),
      .ggufBlock("ffn_norm", "feed_forward_norm"),
      .ggufBlock("ffn_up", "feed_forward.up"),
      .ggufBlock("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      .rename("output", "lm_head"),
    ],
    nativeConfig: .ggufGPTBigCode,
    // src/models/starcoder.cpp, whose `gelu` is the tanh form.
    limits: [.fact("activation", "gelu_new"), .fact("scale_attn_weights", "true")],
    evidence: [.name("blk.0.attn_qkv.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of GPT-BigCode. The file does not say the activation, which llama.cpp has but one of.
  fileprivate static let ggufGPTBigCode = NativeConfig.gguf(
    GGUFConfig<GPTBigCode>(
      architecture: "starcoder", className: "GPTBigCodeForCausalLM",
      names: [
        "block_count": "n_layer", "embedding_length": "n_embd", "attention.head_count": "n_head",
        "feed_forward_length": "n_inner", "attention.layer_norm_epsilon": "layer_norm_epsilon",
        "context_length": "n_positions",
      ],
      facts: { facts throws(CheckpointError) in
        let heads = try facts.count("attention.head_count")
        var members: [JSONValue.Member] = [
          .init("activation_function", "gelu_new"),
          .init("multi_query", .bool(facts["attention.head_count_kv"]?.int ?? heads == 1)),
        ]
        if let rows = facts.shape("position_embd.weight")?.first {
          members.append(.init("n_positions", .number(rows)))
        }
        return members
      }))
}
