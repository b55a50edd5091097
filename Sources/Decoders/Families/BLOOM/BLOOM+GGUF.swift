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
      layer("attn_norm", "attention_norm"),
      .tensor("blk.{i}.attn_qkv.weight", .partByPart(".weight")),
      .tensor("blk.{i}.attn_qkv.bias", .partByPart(".bias")),
      layer("attn_output", "attention.output"),
      layer("ffn_norm", "feed_forward_norm"),
      layer("ffn_up", "feed_forward.up"),
      layer("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      .rename("output", "lm_head"),
    ],
    nativeConfig: .ggufBLOOM,
    // src/models/bloom.cpp. Without a head of its own it takes the embedding.
    limits: [.fact("apply_residual_connection_post_layernorm", "false")],
    evidence: [.name("token_embd_norm.weight")],
    ownFiles: .gguf)

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("blk.{i}." + stored, "decoder.blocks.{i}." + path)
  }
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
