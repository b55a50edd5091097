import Models
import TensorCore

extension Dialect {
  /// BLOOM under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `bloom`; llama.cpp:
  /// conversion/bloom.py): queries, keys and values in one, block behind block.
  static let ggufBLOOM = Dialect(
    name: "gguf",
    architecture: BLOOM.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .rename("token_embd_norm", "embeddings.norm"),
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
    nativeConfig: .ggufBLOOM,
    // src/models/bloom.cpp. Without a head of its own it takes the embedding.
    limits: [.fact("apply_residual_connection_post_layernorm", "false")],
    evidence: [.name("token_embd_norm.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of BLOOM.
  fileprivate static let ggufBLOOM = NativeConfig.gguf(
    GGUFConfig<BLOOM>(
      architecture: "bloom", className: "BloomForCausalLM",
      names: [
        "block_count": "n_layer", "embedding_length": "hidden_size",
        "attention.head_count": "n_head", "attention.layer_norm_epsilon": "layer_norm_epsilon",
        "context_length": "seq_length",
      ],
      facts: { _ in [] },
      values: { _, config in [.init("context_length", config["seq_length"] ?? .number(2048))] }))
}
