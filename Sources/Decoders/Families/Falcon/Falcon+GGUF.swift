import Kernels
import Models
import TensorCore

extension Dialect {
  /// Falcon under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `falcon`; llama.cpp:
  /// conversion/falcon.py): queries, keys and values in one, block behind block. Of two normalisations side by
  /// side attention's is the second.
  ///
  /// Biases, and a normalisation between attention and feed-forward network, have no place there.
  static let ggufFalcon = Dialect(
    name: "gguf",
    architecture: Falcon.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .having(
        "parallel_norms",
        .ggufBlock("attn_norm", "feed_forward_norm"),
        .ggufBlock("attn_norm_2", "attention_norm")),
      .lacking("parallel_norms", .ggufBlock("attn_norm", "attention_norm")),
      .tensor("blk.{i}.attn_qkv.weight", .partByPart(".weight")),
      matrix("attn_output", "attention.output"),
      matrix("ffn_up", "feed_forward.up"),
      matrix("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      .rename("output", "lm_head"),
    ],
    nativeConfig: .ggufFalcon,
    limits: .llamaCppFalcon,
    evidence: [.name("blk.0.attn_qkv.weight")],
    ownFiles: .gguf)

  private static func matrix(_ stored: String, _ path: String) -> [Rule] {
    .tensor("blk.{i}.\(stored).weight", .weight("decoder.blocks.{i}.\(path).weight"))
  }
}

extension [Limit] {
  /// What llama.cpp computes: src/models/falcon.cpp, whose `gelu` is the tanh form, and what
  /// src/llama-context.cpp makes of scaled frequencies. The metadata of a GGUF file say the rest.
  fileprivate static let llamaCppFalcon: [Limit] = [
    .fact("activation", "gelu_new"),
    .fact("alibi", "false"),
    .rotaryScaling(Falcon.self, known: ["linear", "yarn"]),
    .truncatedYaRN(Falcon.self), .yarnWeights(Falcon.self),
  ]
}

extension NativeConfig {
  /// The key-values of Falcon, with the activation that llama.cpp computes.
  ///
  /// With two normalisations side by side, or several heads of keys that are fewer than those of queries, it is one of
  /// the newer architecture.
  fileprivate static let ggufFalcon = NativeConfig.gguf(
    GGUFConfig<Falcon>(
      architecture: "falcon", className: "FalconForCausalLM",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "attention.head_count": "num_attention_heads",
        "feed_forward_length": "ffn_hidden_size",
        "attention.layer_norm_epsilon": "layer_norm_epsilon",
        "context_length": "max_position_embeddings",
      ],
      facts: { facts throws(CheckpointError) in
        let heads = try facts.count("attention.head_count")
        let keyHeads = facts["attention.head_count_kv"]?.int ?? heads
        let hasTwo = facts.has("blk.0.attn_norm_2.weight")
        let isNew = hasTwo || keyHeads > 1 && keyHeads < heads
        var members =
          try facts.rotary() + [
            .init("activation", "gelu_new"), .init("alibi", false), .init("bias", false),
            .init("parallel_attn", true), .init("new_decoder_architecture", .bool(isNew)),
            .init("multi_query", .bool(keyHeads == 1)), .init("num_kv_heads", .number(keyHeads)),
          ]
        if isNew { members.append(.init("num_ln_in_parallel_attn", .number(hasTwo ? 2 : 1))) }
        return members
      }))
}
