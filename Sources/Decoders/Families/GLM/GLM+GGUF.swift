import Kernels
import Models
import TensorCore

extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`, architectures `chatglm` and `glm4`;
  /// llama.cpp: conversion/chatglm.py, glm.py). Heads are stored as they are, neighbours turned together.
  static let ggufGLM: [Dialect] = [
    ggufGLM(
      GLM4Chat.self, norms: ["attn_norm": "attention_norm", "ffn_norm": "feed_forward_norm"]),
    ggufGLM(
      GLM40414.self,
      norms: [
        "attn_norm": "attention_norm", "post_attention_norm": "attention_post_norm",
        "ffn_norm": "feed_forward_norm", "post_ffw_norm": "feed_forward_post_norm",
      ]),
  ]

  private static func ggufGLM<Member: GLMMember>(
    _ member: Member.Type, norms: ModuleNames
  ) -> Dialect {
    Dialect(
      name: "gguf",
      architecture: member.name,
      rules: [
        .ggufDecoder(inPairs: false, norms: norms, splitsGate: false),
        .tensor("blk.{i}.ffn_up.weight", .gateAndUp),
      ],
      nativeConfig: .ggufGLM(member),
      limits: .llamaCppGLM(member),
      evidence: [.name("blk.0.attn_q.weight")],
      ownFiles: .gguf)
  }
}

extension [Limit] {
  /// What llama.cpp computes: src/models/chatglm.cpp, glm4.cpp, and what src/llama-context.cpp makes of scaled
  /// frequencies. The metadata of a GGUF file say the rest.
  fileprivate static func llamaCppGLM<Member: GLMMember>(_: Member.Type) -> [Limit] {
    typealias Model = GLM<Member>
    return [
      .fact("activation", "\(Activation.silu.rawValue)"),
      .rotaryScaling(Model.self, known: ["linear", "yarn"]),
      .truncatedYaRN(Model.self), .yarnWeights(Model.self),
      .of(Model.self, "the count of numbers that are turned") { model in
        model.rotary.size.isMultiple(of: 2)
          ? nil : ("\(model.rotary.size) of \(model.sizes.headSize)", "even")
      },
      .of(Model.self, "head_dim") {
        // The older code has no size of its own for heads.
        Member.self == GLM40414.self || $0.sizes.headSize * $0.sizes.heads == $0.sizes.width
          ? nil : ("\($0.sizes.headSize) in the config", "hidden_size / num_attention_heads")
      },
      .headOfWords(Model.self),
    ]
  }
}

extension NativeConfig {
  /// The key-values of a member.
  fileprivate static func ggufGLM<Member: GLMMember>(_ member: Member.Type) -> NativeConfig {
    .gguf(
      GGUFConfig<GLM<Member>>(
        architecture: Member.self == GLM40414.self ? "glm4" : "chatglm",
        className: Member.className + "ForCausalLM",
        facts: { facts throws(CheckpointError) in
          // The older code has no size of its own for heads, of which half are turned.
          try facts.rotary(fractionKey: "partial_rotary_factor") + [
            .init("head_dim", .number(try facts.headSize)),
            .init("attention_bias", .bool(facts.has("blk.0.attn_q.bias"))),
          ]
        }))
  }
}
