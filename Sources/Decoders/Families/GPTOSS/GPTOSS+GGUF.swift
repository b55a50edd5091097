import Models
import TensorCore

extension Dialect {
  /// gpt-oss under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/gpt_oss.py): the experts
  /// of a layer in one tensor for each of their matrices and biases. Heads beside the language model's have no
  /// place there.
  static let ggufGPTOSS = Dialect(
    name: "gguf",
    architecture: GPTOSS.name,
    rules: [
      .rename("token_embd", "embeddings.word"),
      block("attn_q", "attention.query"), block("attn_k", "attention.key"),
      block("attn_v", "attention.value"), block("attn_output", "attention.output"),
      block("attn_sinks.weight", "attention.sinks"),
      block("attn_norm", "attention_norm"), block("post_attention_norm", "feed_forward_norm"),
      block("ffn_gate_inp", "feed_forward.router"),
      ofAll("gate"), ofAll("up"), ofAll("down"),
      .rename("output_norm", "decoder.norm"), .rename("output", "lm_head"),
    ],
    nativeConfig: .ggufGPTOSS,
    // src/models/openai-moe.cpp, src/llama-graph.cpp; llama_hparams' windows in every other layer.
    limits: [
      .fact("swiglu_limit", "7.0"), .fact("swiglu_alpha", "1.702"),
      .rotaryScaling(GPTOSS.self, known: ["linear", "yarn"]), .truncatedYaRN(GPTOSS.self),
      .yarnWeights(GPTOSS.self),
      .headOfWords(GPTOSS.self),
      .of(GPTOSS.self, "layer_types") { model in
        let windows = model.form.blocks.map { $0.attention.shape.window != nil }
        let isUsual = windows.enumerated().allSatisfy { $0.element == $0.offset.isMultiple(of: 2) }
        return isUsual ? nil : ("something else in the config", "sliding in every other layer")
      },
    ],
    evidence: [.name("blk.0.attn_q.weight")],
    ownFiles: .gguf)

  private static func block(_ stored: String, _ path: String) -> [Rule] {
    .rename("blk.{i}." + stored, "decoder.blocks.{i}." + path)
  }

  private static func ofAll(_ part: String) -> [Rule] {
    ["weight", "bias"].flatMap { kind in
      [Rule].tensor(
        "blk.{i}.ffn_\(part)_exps.\(kind)",
        .stacked(
          .weight("decoder.blocks.{i}.feed_forward.experts.{e}.\(part).\(kind)"), over: "e",
          axis: 0))
    }
  }
}

extension NativeConfig {
  /// The key-values of gpt-oss: windows in every other layer, and bounds of gates, are llama.cpp's own.
  fileprivate static let ggufGPTOSS = NativeConfig.gguf(
    GGUFConfig<GPTOSS>(
      architecture: "gpt-oss", className: "GptOssForCausalLM",
      names: [
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
        "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "attention.sliding_window": "sliding_window", "context_length": "max_position_embeddings",
        "expert_count": "num_local_experts", "expert_used_count": "num_experts_per_tok",
        "expert_feed_forward_length": "intermediate_size",
      ],
      facts: { facts throws(CheckpointError) in
        var members = try facts.rotary()
        // What is not scaled is said: without a word it is YaRN.
        if !members.contains(where: { $0.key == "rope_scaling" }) {
          members.append(.init("rope_scaling", ["rope_type": "default"]))
        }
        return members + [.init("attention_bias", .bool(facts.has("blk.0.attn_q.bias")))]
      },
      values: { model, _ in
        guard case .experts(let experts)? = model.form.blocks.first?.feedForward else { return [] }
        return [
          .init("expert_count", .number(experts.routing.experts)),
          .init("expert_used_count", .number(experts.routing.active)),
          .init("expert_feed_forward_length", .number(experts.hidden)),
          .init("feed_forward_length", .number(experts.hidden)),
        ]
      }))
}
