import Kernels
import Models
import TensorCore

extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/deepseek.py): what
  /// makes keys transposed head by head, the experts of a layer in one tensor for each of their matrices.
  /// Biases of products, and heads beside the language model's, have no place there.
  static let ggufDeepSeek: [Dialect] = [
    ggufDeepSeek(DeepSeekV2.self), ggufDeepSeek(DeepSeekV3.self),
  ]

  private static func ggufDeepSeek<Member: DeepSeekMember>(_: Member.Type) -> Dialect {
    let latent = "decoder.blocks.{i}.attention.query_latent.weight"
    return Dialect(
      name: "gguf",
      architecture: Member.name,
      rules: [
        .rename("token_embd", "embeddings.word"),
        .without(latent, weight("attn_q", "attention.query")),
        .with(latent, weight("attn_q_b", "attention.query")),
        weight("attn_q_a", "attention.query_latent"),
        weight("attn_q_a_norm", "attention.query_latent_norm"),
        weight("attn_kv_a_norm", "attention.latent_norm"),
        .tensor(
          "blk.{i}.attn_kv_a_mqa.weight",
          .joined(
            ["latent", "turned_key"].map { .weight("\(path)attention.\($0).weight") }, axis: 0)),
        .tensor(
          "blk.{i}.attn_k_b.weight",
          .permuted(
            .divided(.weight(path + "attention.key.weight"), axis: 0, inner: "plain_size"),
            axes: [0, 2, 1])),
        .tensor(
          "blk.{i}.attn_v_b.weight",
          .divided(.weight(path + "attention.value.weight"), axis: 0, inner: "value_size")),
        weight("attn_output", "attention.output"),
        weight("attn_norm", "attention_norm"), weight("ffn_norm", "feed_forward_norm"),
        weight("ffn_gate_inp", "feed_forward.router"),
        .rename("blk.{i}.exp_probs_b.bias", path + "feed_forward.router.choice_bias"),
        networks("gate"), networks("up"), networks("down"), further,
        .rename("output_norm", "decoder.norm"), .rename("output", "lm_head"),
      ],
      nativeConfig: .ggufDeepSeek(Member.self),
      limits: .deepseekCpp(Member.self),
      evidence: [.name("blk.0.attn_kv_a_mqa.weight")],
      ownFiles: .gguf)
  }

  private static let path = "decoder.blocks.{i}."

  private static func weight(_ stored: String, _ module: String) -> [Rule] {
    .rename("blk.{i}.\(stored).weight", "\(path)\(module).weight")
  }

  /// What a block has that predicts one more token.
  private static var further: [Rule] {
    [
      ("hnorm", "state_norm"), ("enorm", "token_norm"), ("eh_proj", "projection"),
      ("embed_tokens", "word"), ("shared_head_norm", "head_norm"), ("shared_head_head", "head"),
    ].flatMap { weight("nextn.\($0)", $1) }
  }

  /// A matrix of the dense networks, of the shared experts, and of the others.
  private static func networks(_ part: String) -> [Rule] {
    weight("ffn_\(part)", "feed_forward.\(part)")
      + weight("ffn_\(part)_shexp", "feed_forward.shared.\(part)")
      + .tensor(
        "blk.{i}.ffn_\(part)_exps.weight",
        .stacked(.weight("\(path)feed_forward.experts.{e}.\(part).weight"), over: "e", axis: 0))
  }
}

extension [Limit] {
  /// What llama.cpp computes: src/models/deepseek2.cpp, src/llama-graph.cpp.
  fileprivate static func deepseekCpp<Member: DeepSeekMember>(_: Member.Type) -> [Limit] {
    [
      .fact("activation", "\(Activation.silu.rawValue)"),
      .fact("epsilon", "1e-06"), .fact("rope_interleave", "true"),
      .fact("topk_method", "greedy"),
      .rotaryScaling(DeepSeek<Member>.self, known: ["linear", "yarn"]),
      .truncatedYaRN(DeepSeek<Member>.self), .headOfWords(DeepSeek<Member>.self),
      // Whether queries are made of narrow vectors is told by the number of layers.
      .of(DeepSeek<Member>.self, "q_lora_rank") { model in
        let layers = model.form.blocks.count
        let isLite = layers == 26 || layers == 27
        guard (model.sizes.queryLatent == nil) != isLite else { return nil }
        return isLite
          ? ("there in a model of \(layers) layers", "not looked for")
          : ("none in a model of \(layers) layers", "wanted")
      },
      .of(DeepSeek<Member>.self, "mscale") { model in
        guard case .yarn(let yarn) = model.form.rotaries.first?.scaling,
          yarn.mscale != yarn.mscaleAllDimensions
        else { return nil }
        return ("not mscale_all_dim in the config", "the same")
      },
    ]
  }
}
