import Kernels

extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/llama.py,
  /// qwen.py, olmo.py): the experts of a layer in one tensor for each of their matrices.
  ///
  /// Heads of Mixtral are stored in rotary pairs, those of the others in halves. Layers without experts, and heads
  /// beside the language model's, have no place there.
  static let ggufMixtral: [Dialect] = [
    ggufMixtral(
      MixtralOfExperts.self, inPairs: true, scalings: ["linear", "yarn", "llama3", "longrope"]),
    ggufMixtral(Qwen2MoE.self, isNormalised: false),
    ggufMixtral(Qwen3MoE.self, isNormalised: true),
    ggufMixtral(OLMoE.self, isNormalised: false, extraLimits: .olmoeCpp),
  ]

  private static func ggufMixtral<Member: MixtralMember>(
    _: Member.Type, inPairs: Bool = false, isNormalised: Bool? = nil,
    scalings: [String] = ["linear", "yarn"], extraLimits: [Limit] = []
  ) -> Dialect {
    func head(_ stored: String, _ path: String) -> [Rule] {
      inPairs
        ? .inRotaryPairs("blk.{i}." + stored, "decoder.blocks.{i}." + path) : layer(stored, path)
    }
    return Dialect(
      name: "gguf",
      architecture: Member.name,
      rules: [
        .rename("token_embd", "embeddings.word"),
        head("attn_q", "attention.query"), head("attn_k", "attention.key"),
        layer("attn_v", "attention.value"),
        layer("attn_output.weight", "attention.output.weight"),
        layer("attn_q_norm", "attention.query_norm"), layer("attn_k_norm", "attention.key_norm"),
        layer("attn_norm", "attention_norm"), layer("ffn_norm", "feed_forward_norm"),
        layer("ffn_gate_inp", "feed_forward.router"),
        experts("gate"), experts("up"), experts("down"),
        layer("ffn_gate_shexp", "feed_forward.shared.gate"),
        layer("ffn_up_shexp", "feed_forward.shared.up"),
        layer("ffn_down_shexp", "feed_forward.shared.down"),
        layer("ffn_gate_inp_shexp", "feed_forward.shared_gate"),
        .rename("output_norm", "decoder.norm"), .rename("output", "lm_head"),
      ],
      limits: [
        .fact("activation", "\(Activation.silu.rawValue)"),
        .noWindow(Mixtral<Member>.self),
        .rotaryScaling(Mixtral<Member>.self, known: scalings),
        .truncatedYaRN(Mixtral<Member>.self), .longRoPEByContext(Mixtral<Member>.self),
        .headOfWords(Mixtral<Member>.self),
      ] + (isNormalised.map { [.fact("norm_topk_prob", "\($0)")] } ?? []) + extraLimits,
      evidence: [.name("blk.0.attn_q.weight")],
      ownFiles: .gguf)
  }

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("blk.{i}." + stored, "decoder.blocks.{i}." + path)
  }

  private static func experts(_ part: String) -> [Rule] {
    .tensor(
      "blk.{i}.ffn_\(part)_exps.weight",
      .stacked(
        .weight("decoder.blocks.{i}.feed_forward.experts.{e}.\(part).weight"), over: "e", axis: 0))
  }
}

extension [Limit] {
  /// src/models/olmoe.cpp: nothing is bounded, and the norm of keys is as wide as that of queries.
  fileprivate static let olmoeCpp: [Limit] = [
    .of(Mixtral<OLMoE>.self, "clip_qkv") { model in
      model.form.blocks.first?.attention.bound.map { ("\($0) in the config", "not known") }
    },
    .of(Mixtral<OLMoE>.self, "num_key_value_heads") { model in
      guard let shape = model.form.blocks.first?.attention.shape, shape.keyHeads != shape.heads
      else { return nil }
      return ("\(shape.keyHeads) in the config", "as many as queries have")
    },
  ]
}
