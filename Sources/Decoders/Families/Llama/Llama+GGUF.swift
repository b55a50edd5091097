import Kernels
import Models
import TensorCore

extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/llama.py,
  /// mistral3.py, qwen.py), which knows no Ministral before 3.
  ///
  /// Heads are stored in rotary pairs, but those of Qwen in halves. Heads beside the
  /// language model's have no place there.
  static let ggufLlama: [Dialect] = [
    ggufLlama(MetaLlama.self, as: "llama", inPairs: true) { $0["expert_count"]?.int ?? 0 == 0 },
    // A file does not tell it from Llama.
    ggufLlama(Mistral.self, as: "llama", inPairs: true) { _ in false },
    ggufLlama(Ministral3.self, as: "mistral3", inPairs: true),
    ggufLlama(SmolLM3.self, as: "smollm3", inPairs: true),
    ggufLlama(Qwen2.self, as: "qwen2", inPairs: false),
    ggufLlama(Qwen3.self, as: "qwen3", inPairs: false),
  ]

  private static func ggufLlama<Member: LlamaMember>(
    _ member: Member.Type, as architecture: String, inPairs: Bool,
    if isMember: @escaping @Sendable (GGUFFacts) -> Bool = { _ in true }
  ) -> Dialect {
    func rotated(_ stored: String, _ path: String) -> [Rule] {
      inPairs
        ? .inRotaryPairs("blk.{i}." + stored, "decoder.blocks.{i}." + path)
        : .ggufBlock(stored, path)
    }
    return Dialect(
      name: "gguf",
      architecture: member.name,
      rules: [
        .rename("token_embd", "embeddings.word"),
        rotated("attn_q", "attention.query"),
        rotated("attn_k", "attention.key"),
        .ggufBlock("attn_v", "attention.value"),
        .ggufBlock("attn_output", "attention.output"),
        .ggufBlock("attn_q_norm", "attention.query_norm"),
        .ggufBlock("attn_k_norm", "attention.key_norm"),
        .ggufBlock("attn_norm", "attention_norm"),
        .ggufBlock("ffn_gate", "feed_forward.gate"),
        .ggufBlock("ffn_up", "feed_forward.up"),
        .ggufBlock("ffn_down", "feed_forward.down"),
        .ggufBlock("ffn_norm", "feed_forward_norm"),
        .rename("output_norm", "decoder.norm"),
        .rename("output", "lm_head"),
        .rename("rope_freqs.weight", "rotary_factors"),
      ],
      nativeConfig: .ggufLlama(member, architecture, isMember),
      limits: .llamaCpp(member),
      evidence: [.name("blk.0.attn_q.weight")],
      ownFiles: .gguf)
  }
}

extension NativeConfig {
  /// The key-values of a member.
  fileprivate static func ggufLlama<Member: LlamaMember>(
    _: Member.Type, _ architecture: String, _ isMember: @escaping @Sendable (GGUFFacts) -> Bool
  ) -> NativeConfig {
    .gguf(
      GGUFConfig<Llama<Member>>(
        architecture: architecture, className: Member.className + "ForCausalLM",
        facts: { facts throws(CheckpointError) in
          let hasBias = facts.has("blk.0.attn_q.bias")
          var members = try facts.rotary()
          // Qwen2 always has it, and its config no word for it.
          if Member.self != Qwen2.self { members.append(.init("attention_bias", .bool(hasBias))) }
          if facts.has("blk.0.ffn_up.bias") { members.append(.init("mlp_bias", true)) }
          guard Member.self == Ministral3.self, let beta = facts[growth] else { return members }
          return members.map { member in
            guard member.key == "rope_scaling", let scaling = member.value.members else {
              return member
            }
            return .init(
              member.key, .object(scaling + [.init("llama_4_scaling_beta", beta)]))
          }
        },
        values: { model, _ in
          var members: [JSONValue.Member] = []
          if let beta = model.form.blocks.first?.attention.growth?.beta {
            members.append(.init(growth, .double(beta)))
          }
          if case .yarn(let yarn) = model.rotary.scaling, let weight = yarn.mscaleAllDimensions {
            members.append(.init("rope.scaling.yarn_log_multiplier", .double(weight)))
          }
          return members
        }, isMember: isMember))
  }

  /// How much queries grow.
  private static let growth = "attention.temperature_scale"
}
