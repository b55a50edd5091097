import Models

extension Dialect {
  /// The members as Hugging Face transformers stores them (models/glm/modeling_glm.py,
  /// models/glm4/modeling_glm4.py, 5.x): the gate and what it multiplies in one.
  static let huggingFaceGLM: [Dialect] = [
    huggingFaceGLM(
      GLM4Chat.self,
      norms: ["input_layernorm": "attention_norm", "post_attention_layernorm": "feed_forward_norm"]),
    huggingFaceGLM(
      GLM40414.self,
      norms: [
        "input_layernorm": "attention_norm", "post_self_attn_layernorm": "attention_post_norm",
        "post_attention_layernorm": "feed_forward_norm",
        "post_mlp_layernorm": "feed_forward_post_norm",
      ]),
  ]

  private static func huggingFaceGLM(
    _ member: any GLMMember.Type, norms: ModuleNames
  ) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: member.name,
      rules: [
        .huggingFaceDecoder(norms: norms, splitsGate: false),
        .tensor("model.layers.{i}.mlp.gate_up_proj.weight", .gateAndUp),
      ],
      prefixes: [OptionalPrefix(text: "model.") { $0 != member.className + "Model" }],
      evidence: [.name("model.layers.0.self_attn.q_proj.weight")])
  }
}

extension Layout {
  /// The gate, then what it multiplies.
  static let gateAndUp = Layout.joined(
    ["gate", "up"].map { .weight("decoder.blocks.{i}.feed_forward.\($0).weight") }, axis: 0)
}
