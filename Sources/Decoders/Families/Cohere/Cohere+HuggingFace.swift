import Models

extension Dialect {
  /// The members as Hugging Face transformers stores them (models/cohere/modeling_cohere.py,
  /// models/cohere2/modeling_cohere2.py, 5.x): the normalisations of all heads of a layer in one.
  static let huggingFaceCohere: [Dialect] = [
    huggingFaceCohere(Cohere1.self), huggingFaceCohere(Cohere2.self),
  ]

  private static func huggingFaceCohere(_ member: any CohereMember.Type) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: member.name,
      rules: [
        .huggingFaceDecoder(norms: ["input_layernorm": "attention_norm"]),
        .normsOfHeads("model.layers.{i}.self_attn.", query: "q_norm", key: "k_norm"),
      ],
      prefixes: [OptionalPrefix(text: "model.") { $0 != member.className + "Model" }],
      evidence: [.name("model.layers.0.self_attn.q_proj.weight")])
  }
}

extension [Rule] {
  /// The weights of each head's normalisation, head behind head: `[heads, head size]`.
  static func normsOfHeads(_ prefix: String, query: String, key: String) -> [Rule] {
    [(query, "query_norm"), (key, "key_norm")].flatMap { stored, path in
      [Rule].tensor(
        "\(prefix)\(stored).weight",
        .stacked(
          .weight("decoder.blocks.{i}.attention.\(path).{h}.weight"), over: "h", axis: 0))
    }
  }
}
