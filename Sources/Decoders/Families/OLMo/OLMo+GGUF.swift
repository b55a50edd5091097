import Kernels
import Models
import TensorCore

extension Dialect {
  /// The members under the tensor names of GGUF (gguf's `tensor_mapping`; llama.cpp: conversion/olmo.py), where
  /// the third is stored as the second. The heads of the first are stored in rotary pairs.
  static let ggufOLMo: [Dialect] = [
    ggufOLMo(OLMo1.self, inPairs: true, norms: [:]),
    ggufOLMo(OLMo2.self, inPairs: false, norms: ggufNormsOfResults),
    ggufOLMo(OLMo3.self, inPairs: false, norms: ggufNormsOfResults),
  ]

  private static let ggufNormsOfResults: ModuleNames = [
    "post_attention_norm": "attention_post_norm", "post_ffw_norm": "feed_forward_post_norm",
  ]

  private static func ggufOLMo<Member: OLMoMember>(
    _ member: Member.Type, inPairs: Bool, norms: ModuleNames
  ) -> Dialect {
    Dialect(
      name: "gguf",
      architecture: member.name,
      // llama.cpp wants the head of all but the first.
      rules: [
        .ggufDecoder(inPairs: inPairs, norms: norms, writesTie: inPairs ? .never : .always)
      ],
      nativeConfig: .ggufOLMo(member),
      limits: .llamaCppOLMo(member),
      evidence: [.name("blk.0.attn_q.weight")],
      ownFiles: .gguf)
  }
}

extension [Limit] {
  /// What llama.cpp computes: src/models/olmo.cpp, olmo2.cpp, and what src/llama-context.cpp makes of scaled
  /// frequencies. The metadata of a GGUF file say the rest.
  fileprivate static func llamaCppOLMo<Member: OLMoMember>(_: Member.Type) -> [Limit] {
    typealias Model = OLMo<Member>
    return [
      .fact("activation", "\(Activation.silu.rawValue)"),
      .rotaryScaling(Model.self, known: ["linear", "yarn"]),
      .truncatedYaRN(Model.self), .yarnWeights(Model.self),
      .of(Model.self, "head_dim") {
        $0.sizes.headSize * $0.sizes.heads == $0.sizes.width
          ? nil : ("\($0.sizes.headSize) in the config", "hidden_size / num_attention_heads")
      },
      .of(Model.self, "attention_bias") {
        $0.hasBias ? ("true in the config", "false") : nil
      },
      .of(Model.self, "the rotary positions of layers with a window") { model in
        let slides = model.form.blocks.contains { $0.attention.shape.window != nil }
        guard slides, let full = model.form.rotaries.first, let local = model.form.rotaries.last
        else { return nil }
        return local.scaling == .none && local.base == full.base
          ? nil : ("others in the config", "those of all layers, not scaled")
      },
      .headOfWords(Model.self),
    ]
  }
}

extension NativeConfig {
  /// The key-values of a member. A file calls the third what it calls the second, which has no windows.
  fileprivate static func ggufOLMo<Member: OLMoMember>(_ member: Member.Type) -> NativeConfig {
    let isFirst = Member.self == OLMo1.self
    let hasWindows = Member.self == OLMo3.self
    return .gguf(
      GGUFConfig<OLMo<Member>>(
        architecture: isFirst ? "olmo" : "olmo2", className: Member.className + "ForCausalLM",
        facts: { facts throws(CheckpointError) in
          var members: [JSONValue.Member] = [.init("attention_bias", false)]
          if let bound = facts["attention.clamp_kqv"] { members.append(.init("clip_qkv", bound)) }
          guard hasWindows else { return try facts.rotary() + members }
          members.append(.init("rope_parameters", try facts.olmo3Rotary))
          members += facts.olmo3Windows
          return members
        },
        values: { model, _ in
          let clip = model.variant.clip.map {
            JSONValue.Member("attention.clamp_kqv", .double($0))
          }
          let windows = model.variant.layers.map { JSONValue.bool($0.window != nil) }
          guard hasWindows, let local = model.form.rotaries.last else {
            return [clip].compactMap(\.self)
          }
          return [clip].compactMap(\.self) + [
            .init("attention.sliding_window_pattern", .array(windows)),
            .init("rope.freq_base_swa", .double(local.base)),
          ]
        },
        isMember: { isFirst || hasWindows == ($0["attention.sliding_window"] != nil) }))
  }
}

extension GGUFFacts {
  /// The rotary positions of both kinds of layers: those with a window are never scaled, and turn by the same base
  /// unless the file says another.
  fileprivate var olmo3Rotary: JSONValue {
    get throws(CheckpointError) {
      let members = try rotary()
      let base = JSONValue.Member("rope_theta", self["rope.freq_base"] ?? .double(10000))
      let scaling = members.first { $0.key == "rope_scaling" }?.value.members
      let plain = [JSONValue.Member("rope_type", "default")]
      return [
        "full_attention": .object((scaling ?? plain) + [base]),
        "sliding_attention": .object(
          plain + [.init("rope_theta", self["rope.freq_base_swa"] ?? base.value)]),
      ]
    }
  }

  /// The window, and the layers that have it, if the file lists them.
  fileprivate var olmo3Windows: [JSONValue.Member] {
    let layers = self["attention.sliding_window_pattern"]?.elements?.map { element -> JSONValue in
      element.bool == true ? "sliding_attention" : "full_attention"
    }
    return [self["attention.sliding_window"].map { .init("sliding_window", $0) }].compactMap(\.self)
      + (layers.map { [.init("layer_types", .array($0))] } ?? [])
  }
}
