extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/llama.py,
  /// mistral3.py, qwen.py), which knows no Ministral before 3.
  ///
  /// Heads are stored in rotary pairs, but those of Qwen in halves. Heads beside the
  /// language model's have no place there.
  static let ggufLlama: [Dialect] = [
    ggufLlama(MetaLlama.self, inPairs: true), ggufLlama(Mistral.self, inPairs: true),
    ggufLlama(Ministral3.self, inPairs: true), ggufLlama(SmolLM3.self, inPairs: true),
    ggufLlama(Qwen2.self, inPairs: false), ggufLlama(Qwen3.self, inPairs: false),
  ]

  private static func ggufLlama<Member: LlamaMember>(
    _ member: Member.Type, inPairs: Bool
  ) -> Dialect {
    func rotated(_ stored: String, _ path: String) -> [Rule] {
      inPairs
        ? .inRotaryPairs("blk.{i}." + stored, "decoder.blocks.{i}." + path) : layer(stored, path)
    }
    return Dialect(
      name: "gguf",
      architecture: member.name,
      rules: [
        .rename("token_embd", "embeddings.word"),
        rotated("attn_q", "attention.query"),
        rotated("attn_k", "attention.key"),
        layer("attn_v", "attention.value"),
        layer("attn_output", "attention.output"),
        layer("attn_q_norm", "attention.query_norm"),
        layer("attn_k_norm", "attention.key_norm"),
        layer("attn_norm", "attention_norm"),
        layer("ffn_gate", "feed_forward.gate"),
        layer("ffn_up", "feed_forward.up"),
        layer("ffn_down", "feed_forward.down"),
        layer("ffn_norm", "feed_forward_norm"),
        .rename("output_norm", "decoder.norm"),
        .rename("output", "lm_head"),
        .rename("rope_freqs.weight", "rotary_factors"),
      ],
      limits: .llamaCpp(member),
      evidence: [.name("blk.0.attn_q.weight")],
      ownFiles: .gguf)
  }

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("blk.{i}." + stored, "decoder.blocks.{i}." + path)
  }
}
