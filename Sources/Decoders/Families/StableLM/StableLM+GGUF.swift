import Models
import TensorCore

extension Dialect {
  /// StableLM under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `stablelm`; llama.cpp:
  /// conversion/stablelm.py): the normalisations of all heads are one tensor.
  ///
  /// Heads beside the language model's have no place there.
  static let ggufStableLM = Dialect(
    name: "gguf",
    architecture: StableLM.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .ggufBlock("attn_norm", "attention_norm"),
      .ggufBlock("attn_q", "attention.query"),
      .ggufBlock("attn_k", "attention.key"),
      .ggufBlock("attn_v", "attention.value"),
      headNorms("attn_q_norm", "query_norm"),
      headNorms("attn_k_norm", "key_norm"),
      .ggufBlock("attn_output", "attention.output"),
      .ggufBlock("ffn_norm", "feed_forward_norm"),
      .ggufBlock("ffn_gate", "feed_forward.gate"),
      .ggufBlock("ffn_up", "feed_forward.up"),
      .ggufBlock("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      // llama.cpp wants it.
      .rename("output", "lm_head", writesTie: .always),
    ],
    nativeConfig: .ggufStableLM,
    limits: [
      .fact("activation", "silu"),
      .rotaryScaling(StableLM.self, known: ["linear", "yarn"]),
      .truncatedYaRN(StableLM.self), .yarnWeights(StableLM.self),
      .headOfWords(StableLM.self),
    ],
    evidence: [.name("blk.0.attn_q.weight")],
    ownFiles: .gguf)

  private static func headNorms(_ stored: String, _ path: String) -> [Rule] {
    .tensor(
      "blk.{i}.\(stored).weight",
      .stacked(.weight("decoder.blocks.{i}.attention.\(path).{e}.weight"), over: "e", axis: 0))
  }
}

extension NativeConfig {
  /// The key-values of StableLM.
  fileprivate static let ggufStableLM = NativeConfig.gguf(
    GGUFConfig<StableLM>(
      architecture: "stablelm", className: "StableLmForCausalLM",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.layer_norm_epsilon": "layer_norm_eps",
        "context_length": "max_position_embeddings",
      ],
      facts: { facts throws(CheckpointError) in
        try facts.rotary(fractionKey: "partial_rotary_factor") + [
          // llama.cpp goes by the tensors, whatever `use_parallel_residual` says.
          .init("use_parallel_residual", .bool(!facts.has("blk.0.ffn_norm.weight"))),
          .init("use_qkv_bias", .bool(facts.has("blk.0.attn_q.bias"))),
          .init("qk_layernorm", .bool(facts.has("blk.0.attn_q_norm.weight"))),
          .init("tie_word_embeddings", false),
        ]
      },
      values: { model, _ in
        let isParallel = model.form.blocks.first?.arrangement == .parallel(sharesNorm: true)
        return [.init("use_parallel_residual", .bool(isParallel))]
      }))
}
