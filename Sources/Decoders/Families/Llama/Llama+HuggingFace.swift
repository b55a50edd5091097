import Models

extension Dialect {
  /// The members as Hugging Face transformers stores them (models/llama/modeling_llama.py and its kin,
  /// 5.x), and Llama as it did until 4.31, when each layer's frequencies were among the weights.
  static let huggingFaceLlama: [Dialect] = [
    // A question-answering model calls its decoder `transformer`, except for two of Mistral's.
    huggingFaceLlama(MetaLlama.self, answering: "transformer."),
    huggingFaceLlama(Ministral.self, answering: "transformer."),
    huggingFaceLlama(Ministral3.self, answering: "model."),
    huggingFaceLlama(Mistral.self, answering: "model."),
    huggingFaceLlama(Qwen2.self, answering: "transformer."),
    huggingFaceLlama(Qwen3.self, answering: "transformer."),
    huggingFaceLlama(SmolLM3.self, answering: "transformer."),
  ]

  private static func huggingFaceLlama(
    _ member: any LlamaMember.Type, answering: String
  ) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: member.name,
      rules: [
        .without("qa_head.weight", decoder("model.")),
        .with("qa_head.weight", decoder(answering)),
        .rename("lm_head", "lm_head"),
        .with("score.weight", .rename("score", "score")),
        .with("classifier.weight", .rename("score", "classifier")),
        .rename("qa_outputs", "qa_head"),
      ],
      prefixes: [OptionalPrefix(text: "model.") { $0 != member.className + "Model" }],
      evidence: [
        .name("model.layers.0.self_attn.q_proj.weight"),
        .name("transformer.layers.0.self_attn.q_proj.weight"),
      ])
  }

  private static func decoder(_ prefix: String) -> [Rule] {
    let layer = prefix + "layers.{i}."
    func rename(_ stored: String, _ path: String) -> [Rule] {
      .rename(layer + stored, "decoder.blocks.{i}." + path)
    }
    return .rename(prefix + "embed_tokens", "embeddings.word")
      + rename("self_attn.q_proj", "attention.query") + rename("self_attn.k_proj", "attention.key")
      + rename("self_attn.v_proj", "attention.value")
      + rename("self_attn.o_proj", "attention.output")
      + rename("self_attn.q_norm", "attention.query_norm")
      + rename("self_attn.k_norm", "attention.key_norm")
      + rename("self_attn.rotary_emb.inv_freq", "attention.frequencies")
      + rename("mlp.gate_proj", "feed_forward.gate") + rename("mlp.up_proj", "feed_forward.up")
      + rename("mlp.down_proj", "feed_forward.down")
      + rename("input_layernorm", "attention_norm")
      + rename("post_attention_layernorm", "feed_forward_norm")
      + .rename(prefix + "norm", "decoder.norm")
      + .rename(prefix + "rotary_emb.inv_freq", "rotary_frequencies")
  }
}

extension Dialect {
  /// Llama as transformers 4 stores it of Flax.
  static let llamaInFlax = huggingFaceLlama(MetaLlama.self, answering: "transformer.").inFlax(
    FrameworkModules(
      embeddings: ["embed_tokens"], norms: ["input_layernorm", "post_attention_layernorm", "norm"],
      hasOwnNorms: true))
}
