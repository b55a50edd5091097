import Kernels
import Models
import TensorCore

extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`, architectures `command-r` and
  /// `cohere2`; llama.cpp: conversion/command_r.py). Heads are stored as they are, neighbours turned together.
  static let ggufCohere: [Dialect] = [ggufCohere(Cohere1.self), ggufCohere(Cohere2.self)]

  private static func ggufCohere<Member: CohereMember>(_ member: Member.Type) -> Dialect {
    Dialect(
      name: "gguf",
      architecture: member.name,
      rules: [
        .ggufDecoder(inPairs: false, norms: ["attn_norm": "attention_norm"]),
        .normsOfHeads("blk.{i}.", query: "attn_q_norm", key: "attn_k_norm"),
      ],
      nativeConfig: .ggufCohere(member),
      limits: .llamaCppCohere(member),
      evidence: [.name("blk.0.attn_q.weight")],
      ownFiles: .gguf)
  }
}

extension [Limit] {
  /// What llama.cpp computes: src/models/command-r.cpp, cohere2.cpp. Its converter writes that frequencies are
  /// not scaled. The metadata of a GGUF file say the rest.
  fileprivate static func llamaCppCohere<Member: CohereMember>(_: Member.Type) -> [Limit] {
    typealias Model = Cohere<Member>
    return [
      .fact("activation", "\(Activation.silu.rawValue)"),
      .rotaryScaling(Model.self, known: []),
      .of(Model.self, "head_dim") {
        $0.sizes.headSize * $0.sizes.heads == $0.sizes.width
          ? nil : ("\($0.sizes.headSize) in the config", "hidden_size / num_attention_heads")
      },
      .of(Model.self, "the head") {
        $0.form.head.isTied ? nil : ("a matrix of its own", "the word embeddings")
      },
      .of(Model.self, "attention_bias") {
        $0.hasBias && Member.self == Cohere2.self ? ("true in the config", "false") : nil
      },
      .of(Model.self, "the normalisation of queries and keys") { model in
        // The code goes by the number of layers.
        guard Member.self == Cohere1.self else { return nil }
        return switch (model.variant.hasHeadNorms, model.sizes.layers >= 64) {
        case (true, false): ("a part of the model", "not known below 64 layers")
        case (false, true): ("no part of the model", "always there from 64 layers on")
        default: nil
        }
      },
      .of(Model.self, "logit_scale") {
        $0.form.head.factor == 0 ? ("0 in the config", "as if there were none") : nil
      },
      .of(Model.self, "layer_types") { model in
        guard Member.self == Cohere2.self else { return nil }
        let isUsual = model.variant.layers.enumerated().allSatisfy {
          ($0 + 1).isMultiple(of: 4) == ($1.window == nil)
        }
        return isUsual ? nil : ("others in the config", "every fourth full_attention")
      },
    ]
  }
}

extension NativeConfig {
  /// The key-values of a member. Frequencies are not scaled, which is said.
  fileprivate static func ggufCohere<Member: CohereMember>(_ member: Member.Type) -> NativeConfig {
    .gguf(
      GGUFConfig<Cohere<Member>>(
        architecture: Member.self == Cohere1.self ? "command-r" : "cohere2",
        className: Member.className + "ForCausalLM",
        names: [
          "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
          "feed_forward_length": "intermediate_size",
          "attention.head_count": "num_attention_heads",
          "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
          "attention.layer_norm_epsilon": "layer_norm_eps",
          "attention.sliding_window": "sliding_window",
          "context_length": "max_position_embeddings", "logit_scale": "logit_scale",
        ],
        facts: { facts throws(CheckpointError) in
          let hasNorms = facts.has("blk.0.attn_q_norm.weight")
          return try facts.rotary()
            + [.init("attention_bias", .bool(facts.has("blk.0.attn_q.bias")))]
            + (Member.self == Cohere1.self ? [.init("use_qk_norm", .bool(hasNorms))] : [])
        },
        values: { model, _ in
          [
            .init("logit_scale", .double(model.form.head.factor)),
            .init("rope.scaling.type", "none"),
          ]
        }))
  }
}
