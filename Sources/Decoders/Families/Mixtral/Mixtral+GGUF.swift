import Kernels
import Models
import TensorCore

extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/llama.py,
  /// qwen.py, olmo.py): the experts of a layer in one tensor for each of their matrices.
  ///
  /// Heads of Mixtral are stored in rotary pairs, those of the others in halves. Layers without experts, and heads
  /// beside the language model's, have no place there.
  static let ggufMixtral: [Dialect] = [
    ggufMixtral(
      MixtralOfExperts.self, as: "llama", inPairs: true,
      scalings: ["linear", "yarn", "llama3", "longrope"]),
    ggufMixtral(Qwen2MoE.self, as: "qwen2moe", isNormalised: false),
    ggufMixtral(Qwen3MoE.self, as: "qwen3moe", isNormalised: true),
    ggufMixtral(OLMoE.self, as: "olmoe", isNormalised: false, extraLimits: .olmoeCpp),
  ]

  private static func ggufMixtral<Member: MixtralMember>(
    _ member: Member.Type, as architecture: String, inPairs: Bool = false,
    isNormalised: Bool? = nil,
    scalings: [String] = ["linear", "yarn"], extraLimits: [Limit] = []
  ) -> Dialect {
    func head(_ stored: String, _ path: String) -> [Rule] {
      inPairs
        ? .inRotaryPairs("blk.{i}." + stored, "decoder.blocks.{i}." + path)
        : .ggufBlock(stored, path)
    }
    return Dialect(
      name: "gguf",
      architecture: Member.name,
      rules: [
        .rename("token_embd", "embeddings.word"),
        head("attn_q", "attention.query"), head("attn_k", "attention.key"),
        .ggufBlock("attn_v", "attention.value"),
        .ggufBlock("attn_output.weight", "attention.output.weight"),
        .ggufBlock("attn_q_norm", "attention.query_norm"),
        .ggufBlock("attn_k_norm", "attention.key_norm"),
        .ggufBlock("attn_norm", "attention_norm"), .ggufBlock("ffn_norm", "feed_forward_norm"),
        .ggufBlock("ffn_gate_inp", "feed_forward.router"),
        experts("gate"), experts("up"), experts("down"),
        .ggufBlock("ffn_gate_shexp", "feed_forward.shared.gate"),
        .ggufBlock("ffn_up_shexp", "feed_forward.shared.up"),
        .ggufBlock("ffn_down_shexp", "feed_forward.shared.down"),
        .ggufBlock("ffn_gate_inp_shexp", "feed_forward.shared_gate"),
        .rename("output_norm", "decoder.norm"), .rename("output", "lm_head"),
      ],
      nativeConfig: .ggufMixtral(member, architecture, isNormalised),
      limits: [
        .fact("activation", "\(Activation.silu.rawValue)"),
        .noWindow(Mixtral<Member>.self),
        .rotaryScaling(Mixtral<Member>.self, known: scalings),
        .truncatedYaRN(Mixtral<Member>.self), .yarnWeights(Mixtral<Member>.self),
        .longRoPEByContext(Mixtral<Member>.self),
        .headOfWords(Mixtral<Member>.self),
      ] + (isNormalised.map { [.fact("norm_topk_prob", "\($0)")] } ?? []) + extraLimits,
      evidence: [.name("blk.0.attn_q.weight")],
      ownFiles: .gguf)
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

extension NativeConfig {
  /// The key-values of a member. A file calls Mixtral what it calls Llama, which has no experts.
  fileprivate static func ggufMixtral<Member: MixtralMember>(
    _: Member.Type, _ architecture: String, _ isNormalised: Bool?
  ) -> NativeConfig {
    let isQwen = Member.self == Qwen2MoE.self || Member.self == Qwen3MoE.self
    return .gguf(
      GGUFConfig<Mixtral<Member>>(
        architecture: architecture, className: Member.className + "ForCausalLM",
        facts: { facts throws(CheckpointError) in
          var members = try facts.rotary()
          for (key, name) in [
            (
              "expert_count",
              Member.self == MixtralOfExperts.self ? "num_local_experts" : "num_experts"
            ),
            ("expert_used_count", "num_experts_per_tok"),
            ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
          ] {
            if let value = facts[key] { members.append(.init(name, value)) }
          }
          if let isNormalised { members.append(.init("norm_topk_prob", .bool(isNormalised))) }
          if Member.self == Qwen3MoE.self || Member.self == OLMoE.self {
            members.append(.init("attention_bias", .bool(facts.has("blk.0.attn_q.bias"))))
          }
          if Member.self == Qwen2MoE.self {
            members.append(.init("qkv_bias", .bool(facts.has("blk.0.attn_q.bias"))))
          }
          return members
        },
        values: { model, config in
          guard case .experts(let experts)? = model.form.blocks.first?.feedForward else {
            return []
          }
          var members: [JSONValue.Member] = [
            .init("expert_count", .number(experts.routing.experts)),
            .init("expert_used_count", .number(experts.routing.active)),
            .init("feed_forward_length", config["intermediate_size"] ?? .number(experts.hidden)),
          ]
          if isQwen {
            members.append(.init("expert_feed_forward_length", .number(experts.hidden)))
          }
          if let shared = experts.sharedHidden {
            members.append(.init("expert_shared_feed_forward_length", .number(shared)))
          }
          return members
        },
        isMember: { Member.self != MixtralOfExperts.self || $0["expert_count"]?.int ?? 0 > 0 }))
  }
}
