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
    // src/models/openai-moe.cpp, src/llama-graph.cpp; llama_hparams' windows in every other layer.
    limits: [
      .fact("swiglu_limit", "7.0"), .fact("swiglu_alpha", "1.702"),
      .rotaryScaling(GPTOSS.self, known: ["linear", "yarn"]), .truncatedYaRN(GPTOSS.self),
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
