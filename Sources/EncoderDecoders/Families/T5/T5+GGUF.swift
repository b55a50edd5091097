import Kernels
import Models
import TensorCore

extension Dialect {
  /// T5 and its kin under the tensor names of GGUF (gguf's `tensor_mapping`, architectures `t5` and `t5encoder`;
  /// llama.cpp: conversion/t5.py): nothing is transposed, `ffn_gate` is `wi_0` of gated models, and `ffn_up` is `wi`
  /// or `wi_1`. What llama.cpp computes stands in src/models/t5.cpp and in llama_relative_position_bucket of
  /// src/llama-graph.cpp.
  static let ggufT5: [Dialect] = [
    ggufT5(OriginalT5.self) { !$0.hasBiasInEachLayer },
    // A file does not tell it from T5.
    ggufT5(MT5.self) { _ in false },
    ggufT5(UMT5.self) { $0.hasBiasInEachLayer },
  ]

  private static func ggufT5<Member: T5Member>(
    _: Member.Type, if isMember: @escaping @Sendable (GGUFFacts) -> Bool
  ) -> Dialect {
    Dialect(
      name: "gguf",
      architecture: Member.name,
      rules: [
        .rename("token_embd", "embeddings.word"),
        ggufStack("enc", "encoder", hasBiasInEachLayer: Member.hasBiasInEachLayer),
        ggufStack("dec", "decoder", hasBiasInEachLayer: Member.hasBiasInEachLayer),
        .rename("output", "lm_head"),
      ],
      nativeConfig: .ggufT5(Member.self, isMember),
      limits: [
        .fact("relative_attention_max_distance", "128"), .fact("scale_decoder_outputs", "false"),
        .of(T5Architecture<UMT5>.self, "scale_decoder_outputs") {
          $0.task == .conditionalGeneration && $0.scalesOutputs
            ? ("true whatever the config says", "false") : nil
        },
        .of(T5Architecture<Member>.self, "activation") {
          let code = $0.isGated ? Activation.geluTanh : .relu
          return $0.activation == code
            ? nil : ("\($0.activation.rawValue) in the config", code.rawValue)
        },
      ],
      evidence: [.name("enc.blk.0.attn_q.weight")],
      ownFiles: .gguf)
  }

  private static func ggufStack(
    _ stored: String, _ stack: String, hasBiasInEachLayer: Bool
  ) -> [Rule] {
    func layer(_ name: String, _ path: String) -> [Rule] {
      .rename("\(stored).blk.{i}.\(name)", "\(stack).blocks.{i}.\(path)")
    }
    func attention(_ name: String, _ path: String) -> [Rule] {
      layer(name + "_q", path + ".query") + layer(name + "_k", path + ".key")
        + layer(name + "_v", path + ".value") + layer(name + "_o", path + ".output")
    }
    return layer("attn_norm", "attention_norm") + attention("attn", "attention")
      + layer("cross_attn_norm", "cross_attention_norm")
      + attention("cross_attn", "cross_attention")
      + (hasBiasInEachLayer
        ? layer("attn_rel_b", "relative_bias")
        : .rename("\(stored).blk.0.attn_rel_b", "\(stack).relative_bias"))
      + layer("ffn_norm", "feed_forward_norm") + layer("ffn_gate", "feed_forward.gate")
      + layer("ffn_up", "feed_forward.up") + layer("ffn_down", "feed_forward.down")
      + .rename("\(stored).output_norm", "\(stack).norm")
  }
}

extension GGUFFacts {
  /// Whether the second layer has relative biases of its own.
  fileprivate var hasBiasInEachLayer: Bool { has("enc.blk.1.attn_rel_b.weight") }
}

extension NativeConfig {
  /// The key-values of a member: an encoder alone is an architecture of its own there.
  fileprivate static func ggufT5<Member: T5Member>(
    _: Member.Type, _ isMember: @escaping @Sendable (GGUFFacts) -> Bool
  ) -> NativeConfig {
    func config(_ architecture: String, _ head: T5Head) -> NativeConfig {
      .gguf(
        GGUFConfig<T5Architecture<Member>>(
          architecture: architecture, className: head.className(Member.className),
          names: [
            "block_count": "num_layers", "decoder_block_count": "num_decoder_layers",
            "embedding_length": "d_model", "feed_forward_length": "d_ff",
            "attention.head_count": "num_heads", "attention.key_length": "d_kv",
            "attention.layer_norm_rms_epsilon": "layer_norm_epsilon",
            "attention.relative_buckets_count": "relative_attention_num_buckets",
            "context_length": "n_positions", "decoder_start_token_id": "decoder_start_token_id",
          ],
          facts: { facts in
            let isGated = facts.has("enc.blk.0.ffn_gate.weight")
            let members: [JSONValue.Member] = [
              .init("feed_forward_proj", isGated ? "gated-gelu" : "relu"),
              .init("is_encoder_decoder", .bool(head != .encoder)),
            ]
            // A file of T5's first version does not say that its tied head is scaled.
            let isUnscaled = isGated || facts["logit_scale"]?.double == 1
            return members + (isUnscaled ? [.init("scale_decoder_outputs", false)] : [])
          },
          isMember: isMember, holds: { $0.task.hasDecoder == (head != .encoder) }),
        facts: { $0.ggufValues($1) })
    }
    return config("t5", .conditionalGeneration).or(config("t5encoder", .encoder))
  }
}

extension T5Architecture {
  /// What key-values say.
  fileprivate func ggufValues(_ config: JSONValue) -> [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("context_length", config["n_positions"] ?? .number(512)),
      .init("embedding_length", .number(width)), .init("block_count", .number(encoderLayers)),
      .init("feed_forward_length", .number(feedForwardWidth)),
      .init("vocab_size", .number(vocabulary)), .init("attention.head_count", .number(heads)),
      .init("attention.key_length", .number(headSize)),
      .init("attention.value_length", .number(headSize)),
      .init("attention.layer_norm_epsilon", .double(epsilon)),
      .init("attention.layer_norm_rms_epsilon", .double(epsilon)),
      .init("attention.relative_buckets_count", .number(buckets)),
    ]
    guard task.hasDecoder else { return members }
    members.append(.init("decoder_block_count", .number(decoderLayers)))
    if let startToken { members.append(.init("decoder_start_token_id", .number(startToken))) }
    // Nobody else writes it of such models, and without it the head would be taken for a scaled one.
    if !isGated, !scalesOutputs { members.append(.init("logit_scale", .double(1))) }
    return members
  }
}
