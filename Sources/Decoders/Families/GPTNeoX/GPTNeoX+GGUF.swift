import Kernels
import Models
import TensorCore

extension Dialect {
  /// GPT-NeoX under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `gptneox`; llama.cpp:
  /// conversion/gptneox.py): queries, keys and values in one, block behind block.
  ///
  /// Heads beside the language model's have no place there.
  static let ggufGPTNeoX = Dialect(
    name: "gguf",
    architecture: GPTNeoX.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .ggufBlock("attn_norm", "attention_norm"),
      .tensor("blk.{i}.attn_qkv.weight", .partByPart(".weight")),
      .tensor("blk.{i}.attn_qkv.bias", .partByPart(".bias")),
      .ggufBlock("attn_output", "attention.output"),
      .ggufBlock("ffn_norm", "feed_forward_norm"),
      .ggufBlock("ffn_up", "feed_forward.up"),
      .ggufBlock("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      // llama.cpp wants it.
      .rename("output", "lm_head", writesTie: .always),
    ],
    nativeConfig: .ggufGPTNeoX,
    limits: .llamaCppGPTNeoX,
    evidence: [.name("blk.0.attn_qkv.weight")],
    ownFiles: .gguf)
}

extension [Limit] {
  /// What llama.cpp computes: src/models/gptneox.cpp, whose `gelu` is the tanh form, and what
  /// src/llama-context.cpp makes of scaled frequencies. The metadata of a GGUF file say the rest.
  fileprivate static let llamaCppGPTNeoX: [Limit] = [
    .fact("activation", "gelu_new"),
    .rotaryScaling(GPTNeoX.self, known: ["linear", "yarn"]),
    .truncatedYaRN(GPTNeoX.self), .yarnWeights(GPTNeoX.self),
    .evenRotaryPart(GPTNeoX.self),
    .gptNeoXHasBiases,
    .headOfWords(GPTNeoX.self),
  ]
}

extension NativeConfig {
  /// The key-values of GPT-NeoX, with the activation that llama.cpp computes.
  fileprivate static let ggufGPTNeoX = NativeConfig.gguf(
    GGUFConfig<GPTNeoX>(
      architecture: "gptneox", className: "GPTNeoXForCausalLM",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
        "attention.layer_norm_epsilon": "layer_norm_eps",
        "context_length": "max_position_embeddings",
        "use_parallel_residual": "use_parallel_residual",
      ],
      facts: { facts throws(CheckpointError) in
        try facts.rotary(thetaKey: "rotary_emb_base", fractionKey: "rotary_pct")
          + [.init("hidden_act", "gelu_new"), .init("tie_word_embeddings", false)]
      },
      values: { model, _ in
        let isParallel = model.form.blocks.first?.arrangement == .parallel(sharesNorm: false)
        return [.init("use_parallel_residual", .bool(isParallel))]
      }))
}
