import Kernels
import Models
import TensorCore

extension NativeConfig {
  /// The key-values of a member (llama.cpp: conversion/deepseek.py, src/models/deepseek2.cpp): a file calls both the
  /// same, and tells them by what becomes of the router's scores. Keys and values have one head there, which
  /// is as wide as what they are made of.
  static func ggufDeepSeek<Member: DeepSeekMember>(_: Member.Type) -> NativeConfig {
    let isThird = Member.self == DeepSeekV3.self
    return .gguf(
      GGUFConfig<DeepSeek<Member>>(
        architecture: "deepseek2", className: Member.className + "ForCausalLM",
        names: deepSeekNames,
        facts: { facts throws(CheckpointError) in
          try facts.deepSeek(isThird: isThird)
        },
        values: { model, _ in model.ggufValues(isThird: isThird) },
        isMember: {
          ($0["expert_gating_func"]?.int == Routing.Scoring.sigmoid.ggufNumber) == isThird
        }))
  }
}

/// What a config calls what key-values say.
private let deepSeekNames: KeyValuePairs = [
  "embedding_length": "hidden_size", "feed_forward_length": "intermediate_size",
  "attention.head_count": "num_attention_heads",
  "attention.layer_norm_rms_epsilon": "rms_norm_eps", "context_length": "max_position_embeddings",
  "attention.kv_lora_rank": "kv_lora_rank", "leading_dense_block_count": "first_k_dense_replace",
  "expert_count": "n_routed_experts", "expert_used_count": "num_experts_per_tok",
  "expert_feed_forward_length": "moe_intermediate_size",
  "expert_shared_count": "n_shared_experts", "expert_weights_scale": "routed_scaling_factor",
]

extension GGUFFacts {
  /// What follows from other key-values.
  fileprivate func deepSeek(isThird: Bool) throws(CheckpointError) -> [JSONValue.Member] {
    // What llama.cpp's converter writes is a tenth (`TAG_DEEPSEEK2_YARN_LOG_MUL_FIX`).
    var members = try rotary {
      let weight = Double("\(Float($0 * 10))") ?? $0 * 10
      return (weight, weight)
    }
    let turned = try count("rope.dimension_count")
    let further = self["nextn_predict_layers"]?.int ?? 0
    members += [
      .init("num_hidden_layers", .number(max(0, try count("block_count") - max(0, further)))),
      .init("q_lora_rank", self["attention.q_lora_rank"] ?? .null),
      .init("qk_rope_head_dim", .number(turned)),
      .init("qk_nope_head_dim", .number(try count("attention.key_length_mla") - turned)),
      .init("v_head_dim", .number(try count("attention.value_length_mla"))),
      .init("num_key_value_heads", .number(try count("attention.head_count"))),
      .init("norm_topk_prob", self["expert_weights_norm"] ?? false),
    ]
    if self["expert_weights_scale"] == nil { members.append(.init("routed_scaling_factor", 1)) }
    let groups = self["expert_group_count"]?.int ?? 1
    if isThird {
      members.append(.init("num_nextn_predict_layers", .number(further)))
    } else {
      members.append(.init("topk_method", groups > 1 ? "group_limited_greedy" : "greedy"))
    }
    if groups > 1 || isThird {
      members += [
        .init("n_group", .number(groups)),
        .init("topk_group", self["expert_group_used_count"] ?? 1),
      ]
    }
    return members
  }
}

extension DeepSeek {
  /// What key-values say beside what they say of any decoder.
  fileprivate func ggufValues(isThird: Bool) -> [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("block_count", .number(form.blocks.count + form.furtherBlocks.count)),
      .init("feed_forward_length", .number(sizes.feedForward)),
      .init("attention.head_count_kv", 1),
      .init("attention.kv_lora_rank", .number(sizes.latent)),
      .init("attention.key_length", .number(sizes.latent + sizes.turnedSize)),
      .init("attention.value_length", .number(sizes.latent)),
      .init("attention.key_length_mla", .number(sizes.headSize)),
      .init("attention.value_length_mla", .number(sizes.valueSize)),
      .init("leading_dense_block_count", .number(sizes.dense)),
      .init("expert_feed_forward_length", .number(sizes.expert)),
      .init("expert_shared_count", .number(sizes.shared)),
    ]
    if let width = sizes.queryLatent {
      members.append(.init("attention.q_lora_rank", .number(width)))
    }
    if !form.furtherBlocks.isEmpty {
      members.append(.init("nextn_predict_layers", .number(form.furtherBlocks.count)))
    }
    if case .yarn(let yarn)? = form.rotaries.first?.scaling, let weight = yarn.mscaleAllDimensions {
      members.append(.init("rope.scaling.yarn_log_multiplier", .double(0.1 * weight)))
    }
    return members + (routing?.ggufValues ?? [])
  }

  /// How experts are chosen, in any layer that has some.
  private var routing: Routing? {
    form.blocks.lazy.compactMap { block in
      if case .experts(let experts) = block.feedForward { experts.routing } else { nil }
    }.first
  }
}

extension Routing {
  /// What key-values say of it.
  fileprivate var ggufValues: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("expert_count", .number(experts)), .init("expert_used_count", .number(active)),
      .init("expert_weights_scale", .double(scale)),
      .init("expert_gating_func", .number(scoring.ggufNumber)),
    ]
    if isNormalised { members.append(.init("expert_weights_norm", true)) }
    if let groups {
      members += [
        .init("expert_group_count", .number(groups.count)),
        .init("expert_group_used_count", .number(groups.chosen)),
      ]
    }
    return members
  }
}

extension Routing.Scoring {
  /// The number that a file has for it (gguf, `ExpertGatingFuncType`).
  fileprivate var ggufNumber: Int { self == .sigmoid ? 2 : 1 }
}
