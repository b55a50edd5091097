import Kernels
import Models
import TensorCore

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
    nativeConfig: .ggufGranite,
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
    .truncatedYaRN(Granite.self), .yarnWeights(Granite.self),
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

extension NativeConfig {
  /// The key-values of Granite: what is multiplied by what, under llama.cpp's names.
  fileprivate static let ggufGranite = NativeConfig.gguf(
    GGUFConfig<Granite>(
      architecture: "granite", className: "GraniteForCausalLM",
      facts: { facts throws(CheckpointError) in
        var members =
          try facts.rotary() + [
            .init("attention_bias", .bool(facts.has("blk.0.attn_q.bias"))),
            .init("mlp_bias", .bool(facts.has("blk.0.ffn_up.bias"))),
          ]
        for (key, name) in [
          ("embedding_scale", "embedding_multiplier"), ("attention.scale", "attention_multiplier"),
          ("residual_scale", "residual_multiplier"), ("logit_scale", "logits_scaling"),
        ] {
          // None is a number of 0.
          if let value = facts[key], value.double != 0 { members.append(.init(name, value)) }
        }
        return members
      },
      values: { model, _ in
        [
          .init("embedding_scale", .double(model.multipliers.embedding)),
          .init("attention.scale", .double(model.multipliers.attention)),
          .init("residual_scale", .double(model.multipliers.residual)),
          .init("logit_scale", .double(model.multipliers.logits)),
        ]
      }))
}
