import Kernels

extension Dialect {
  /// Granite under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/granite.py). Heads
  /// are stored in rotary pairs.
  static let ggufGranite = Dialect(
    name: "gguf",
    architecture: Granite.name,
    rules: [
      .ggufDecoder(
        inPairs: true, norms: ["attn_norm": "attention_norm", "ffn_norm": "feed_forward_norm"])
    ],
    limits: .llamaCppGranite,
    evidence: [.name("blk.0.attn_q.weight")],
    ownFiles: .gguf)
}

extension [Limit] {
  /// What llama.cpp computes: src/models/granite.cpp, and what src/llama-context.cpp makes of scaled
  /// frequencies. The metadata of a GGUF file say the rest, multipliers included, of which it takes 0 for
  /// none.
  fileprivate static let llamaCppGranite: [Limit] = [
    .fact("activation", "\(Activation.silu.rawValue)"),
    .rotaryScaling(Granite.self, known: ["linear", "yarn"]),
    .truncatedYaRN(Granite.self),
    .of(Granite.self, "head_dim") {
      $0.sizes.headSize * $0.sizes.heads == $0.sizes.width
        ? nil : ("\($0.sizes.headSize) in the config", "hidden_size / num_attention_heads")
    },
    .of(Granite.self, "a multiplier") {
      let multipliers = [
        $0.multipliers.embedding, $0.multipliers.attention, $0.multipliers.residual,
      ]
      return multipliers.contains(0) ? ("0 in the config", "as if there were none") : nil
    },
    .headOfWords(Granite.self),
  ]
}
