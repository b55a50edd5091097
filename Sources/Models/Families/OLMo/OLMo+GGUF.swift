import Kernels

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
      .truncatedYaRN(Model.self),
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
