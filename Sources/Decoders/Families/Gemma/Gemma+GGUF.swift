import Kernels
import Models
import TensorCore

extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/gemma.py):
  /// normalisations are stored as their gain.
  static let ggufGemma: [Dialect] = [
    ggufGemma(
      Gemma1.self, norms: ["attn_norm": "attention_norm", "ffn_norm": "feed_forward_norm"]),
    ggufGemma(Gemma2.self, norms: ggufNormsAround),
    ggufGemma(Gemma3.self, norms: ggufNormsAround),
  ]

  private static let ggufNormsAround: ModuleNames = [
    "attn_norm": "attention_norm", "post_attention_norm": "attention_post_norm",
    "ffn_norm": "feed_forward_norm", "post_ffw_norm": "feed_forward_post_norm",
  ]

  private static func ggufGemma<Member: GemmaMember>(
    _ member: Member.Type, norms: ModuleNames
  ) -> Dialect {
    Dialect(
      name: "gguf",
      architecture: member.name,
      rules: [.ggufDecoder(inPairs: false, norms: norms, addend: 1)],
      nativeConfig: .ggufGemma(member),
      limits: .llamaCppGemma(member),
      evidence: [.name("blk.0.attn_q.weight")],
      ownFiles: .gguf)
  }
}

extension [Limit] {
  /// What llama.cpp computes: src/models/gemma.cpp, gemma2.cpp, gemma3.cpp, gemma-embedding.cpp, and what
  /// src/llama-context.cpp makes of scaled frequencies. The metadata of a GGUF file say the rest.
  fileprivate static func llamaCppGemma<Member: GemmaMember>(_: Member.Type) -> [Limit] {
    typealias Model = Gemma<Member>
    return [
      .fact("activation", "\(Activation.geluTanh.rawValue)"),
      .rotaryScaling(Model.self, known: ["linear", "yarn"]),
      .truncatedYaRN(Model.self), .yarnWeights(Model.self),
      .of(Model.self, "attention_bias") {
        $0.form.blocks.contains { $0.attention.hasOutputBias }
          ? ("true in the config", "false") : nil
      },
      .of(Model.self, "the head") {
        // Only the third may have one of its own.
        $0.form.head.isTied || Member.self == Gemma3.self
          ? nil : ("a matrix of its own", "the word embeddings")
      },
      .of(Model.self, "query_pre_attn_scalar", mismatch: scale),
      .of(Model.self, "layer_types", mismatch: layerTypes),
      .of(Model.self, "attn_logit_softcapping") { model in
        guard Member.self == Gemma2.self else { return nil }
        return model.form.blocks.contains { $0.attention.softcap == nil }
          ? ("none in the config", "always there") : nil
      },
      .of(Model.self, "final_logit_softcapping") {
        Member.self == Gemma2.self && $0.form.head.softcap == nil
          ? ("none in the config", "always there") : nil
      },
    ]
  }

  /// Scores are multiplied by the inverse root of a head's size; in the largest models, which have so many
  /// layers, of what a head has of the width.
  private static func scale<Member: GemmaMember>(_ model: Gemma<Member>) -> Limit.Mismatch? {
    guard let scale = model.form.blocks.first?.attention.scale else { return nil }
    let sizes = model.sizes
    let isLargest = sizes.layers == (Member.self == Gemma2.self ? 46 : 62)
    let code = isLargest ? sizes.width / sizes.heads : sizes.headSize
    let own = 1 / (scale * scale)
    return abs(own - Double(code)) < 1e-6 * own
      ? nil : ("\(own.rounded()) in the config", "\(code)")
  }

  /// Which layers have a window goes by their number.
  private static func layerTypes<Member: GemmaMember>(_ model: Gemma<Member>) -> Limit.Mismatch? {
    guard Member.self != Gemma1.self else { return nil }
    let period = Member.self == Gemma2.self ? 2 : 6
    let isUsual = model.form.blocks.enumerated().allSatisfy {
      ($0 + 1).isMultiple(of: period) == ($1.attention.shape.window == nil)
    }
    return isUsual ? nil : ("others in the config", "full_attention once in \(period) layers")
  }
}

extension NativeConfig {
  /// The key-values of a member. What scores are multiplied by is not among them, and goes by the sizes.
  fileprivate static func ggufGemma<Member: GemmaMember>(_: Member.Type) -> NativeConfig {
    let number = Member.self == Gemma1.self ? "" : Member.self == Gemma2.self ? "2" : "3"
    return .gguf(
      GGUFConfig<Gemma<Member>>(
        architecture: "gemma" + number, className: "Gemma\(number)ForCausalLM",
        facts: { facts throws(CheckpointError) in
          if number.isEmpty { return try facts.rotary() + [JSONValue.Member("hidden_act", .gelu)] }
          let heads = try facts.count("attention.head_count")
          let isLargest = try facts.count("block_count") == (number == "2" ? 46 : 62)
          let scale = isLargest ? try facts.count("embedding_length") / heads : try facts.headSize
          var members =
            try facts.rotary() + [
              .init("hidden_activation", .gelu), .init("query_pre_attn_scalar", .number(scale)),
              .init("sliding_window", facts["attention.sliding_window"] ?? .number(4096)),
            ]
          if number == "3" {
            let base = facts["rope.freq_base_swa"] ?? .double(10000)
            members.append(.init("rope_local_base_freq", base))
          }
          for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
            // The second's are always there.
            let usual: Double? = number == "2" ? (key.hasPrefix("attn") ? 50 : 30) : nil
            members.append(.init(key, facts[key] ?? usual.map { .double($0) } ?? .null))
          }
          return members
        },
        values: { model, _ in
          guard number == "3", model.form.rotaries.count > 1 else { return [] }
          return [.init("rope.freq_base_swa", .double(model.form.rotaries[1].base))]
        }))
  }
}

extension JSONValue {
  /// The activation of all members.
  fileprivate static let gelu: JSONValue = "gelu_pytorch_tanh"
}
