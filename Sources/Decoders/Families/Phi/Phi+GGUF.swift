import Models
import TensorCore

extension Dialect {
  /// Phi under the tensor names of GGUF (gguf's `tensor_mapping`, architecture `phi2`; llama.cpp:
  /// conversion/phi.py).
  ///
  /// Heads beside the language model's have no place there.
  static let ggufPhi = Dialect(
    name: "gguf",
    architecture: Phi.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .ggufBlock("attn_norm", "attention_norm"),
      .ggufBlock("attn_q", "attention.query"),
      .ggufBlock("attn_k", "attention.key"),
      .ggufBlock("attn_v", "attention.value"),
      .ggufBlock("attn_output", "attention.output"),
      .ggufBlock("ffn_up", "feed_forward.up"),
      .ggufBlock("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      // llama.cpp wants it.
      .rename("output", "lm_head", writesTie: .always),
    ],
    nativeConfig: .ggufPhi,
    limits: [
      .fact("activation", "gelu_new"),
      .rotaryScaling(Phi.self, known: ["linear", "yarn"]),
      .truncatedYaRN(Phi.self), .yarnWeights(Phi.self),
      .headsAsWideAsStream(Phi.self),
      .of(Phi.self, "qk_layernorm") { model in
        model.form.blocks.contains { $0.attention.norm != nil }
          ? ("a part of the model", "none") : nil
      },
      .headOfWords(Phi.self),
    ],
    evidence: [.name("blk.0.attn_q.weight")],
    ownFiles: .gguf)

  /// Phi-3 under the tensor names of GGUF (architecture `phi3`): queries, keys and values in one, and gates and
  /// units. The factors of long texts are among the tensors.
  static let ggufPhi3 = Dialect(
    name: "gguf",
    architecture: Phi3.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      .ggufBlock("attn_norm", "attention_norm"),
      .tensor("blk.{i}.attn_qkv.weight", .phiQueryKeyValue),
      .ggufBlock("attn_output", "attention.output"),
      .ggufBlock("ffn_norm", "feed_forward_norm"),
      .tensor("blk.{i}.ffn_up.weight", .phiGateAndUp),
      .ggufBlock("ffn_down", "feed_forward.down"),
      .rename("output_norm", "decoder.norm"),
      .rename("output", "lm_head"),
      .rename("rope_factors_short.weight", "rotary_short_factors"),
      .rename("rope_factors_long.weight", "rotary_long_factors"),
    ],
    nativeConfig: .ggufPhi3,
    limits: [
      .fact("activation", "silu"),
      .longRoPEByContext(Phi3.self),
      .noWindow(Phi3.self),
      .headsAsWideAsStream(Phi3.self),
      .evenRotaryPart(Phi3.self),
      .headOfWords(Phi3.self),
    ],
    evidence: [.name("blk.0.attn_qkv.weight")],
    ownFiles: .gguf)
}

extension NativeConfig {
  /// The key-values of Phi.
  fileprivate static let ggufPhi = NativeConfig.gguf(
    GGUFConfig<Phi>(
      architecture: "phi2", className: "PhiForCausalLM",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.layer_norm_epsilon": "layer_norm_eps",
        "context_length": "max_position_embeddings",
      ],
      facts: { facts throws(CheckpointError) in
        try facts.rotary(fractionKey: "partial_rotary_factor")
          + [.init("hidden_act", "gelu_new"), .init("tie_word_embeddings", false)]
      }))

  /// The key-values of Phi-3.
  fileprivate static let ggufPhi3 = NativeConfig.gguf(
    GGUFConfig<Phi3>(
      architecture: "phi3", className: "Phi3ForCausalLM",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "context_length": "max_position_embeddings",
        "rope.scaling.original_context_length": "original_max_position_embeddings",
      ],
      facts: { facts throws(CheckpointError) in
        try facts.rotary(fractionKey: "partial_rotary_factor")
      }))
}
