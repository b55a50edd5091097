import Models
import TensorCore

extension Dialect {
  /// GPT-2 under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `gpt2`): linear
  /// layers `[out, in]`, queries, keys and values in one. What llama.cpp computes stands in
  /// src/models/gpt2.cpp.
  static let ggufGPT2 = Dialect(
    name: "gguf",
    architecture: "gpt2",
    rules: [
      .rename("token_embd", "embeddings.word"),
      .rename("position_embd", "embeddings.position"),
      .ggufBlock("attn_norm", "attention_norm"),
      .tensor("blk.{i}.attn_qkv.weight", .queryKeyValue(".weight")),
      .tensor("blk.{i}.attn_qkv.bias", .queryKeyValue(".bias")),
      .ggufBlock("attn_output", "attention.output"),
      .ggufBlock("ffn_norm", "feed_forward_norm"),
      .ggufBlock("ffn_up", "feed_forward.up"),
      .ggufBlock("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      .rename("output", "lm_head"),
    ],
    nativeConfig: .ggufGPT2,
    limits: gpt2Limits(activation: "gelu_new"),
    evidence: [.name("blk.0.attn_qkv.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of GPT-2. The file does not say the activation, which llama.cpp has but one of.
  fileprivate static let ggufGPT2 = NativeConfig.gguf(
    GGUFConfig<GPT2>(
      architecture: "gpt2", className: "GPT2LMHeadModel",
      names: [
        "block_count": "n_layer", "embedding_length": "n_embd", "attention.head_count": "n_head",
        "feed_forward_length": "n_inner", "attention.layer_norm_epsilon": "layer_norm_epsilon",
        "context_length": "n_positions",
      ],
      facts: { facts throws(CheckpointError) in
        facts.shape("position_embd.weight")?.first.map { [.init("n_positions", .number($0))] } ?? []
      }))
}
