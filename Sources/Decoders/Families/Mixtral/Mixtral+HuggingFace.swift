import Models

extension Dialect {
  /// The members as Hugging Face transformers stores them (models/mixtral/modeling_mixtral.py and its kin): an
  /// expert by itself, as 4.x and 5.x write them, or as the modules of 5.x have them, the experts of a layer in
  /// one tensor.
  static let huggingFaceMixtral: [Dialect] = [
    // A question-answering model calls its decoder `transformer`, except for those that say otherwise.
    huggingFaceMixtral(MixtralOfExperts.self, answering: "model.", mixtralExperts),
    huggingFaceMixtral(Qwen2MoE.self, answering: "model.", qwenExperts),
    huggingFaceMixtral(Qwen3MoE.self, answering: "transformer.", qwenExperts),
    huggingFaceMixtral(OLMoE.self, answering: "model.", qwenExperts),
  ].flatMap(\.self)

  /// An expert by itself: the stored name of its layer's module, of its router, and of its three matrices.
  private struct SingleExperts {
    let module: String
    let gate: String
    let up: String
    let down: String
  }

  private static let mixtralExperts = SingleExperts(
    module: "block_sparse_moe", gate: "w1", up: "w3", down: "w2")
  private static let qwenExperts = SingleExperts(
    module: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj")

  private static func huggingFaceMixtral(
    _ member: any MixtralMember.Type, answering: String, _ single: SingleExperts
  ) -> [Dialect] {
    func dialect(
      _ variant: String?, shownBy name: String, _ experts: (String) -> [Rule]
    ) -> Dialect {
      Dialect(
        name: "huggingface",
        architecture: member.name,
        variant: variant,
        rules: [
          .without("qa_head.weight", mixtralDecoder("model.") + experts("model.")),
          .with("qa_head.weight", mixtralDecoder(answering) + experts(answering)),
          .rename("lm_head", "lm_head"),
          .with("score.weight", .rename("score", "score")),
          .with("classifier.weight", .rename("score", "classifier")),
          .rename("qa_outputs", "qa_head"),
        ],
        prefixes: [OptionalPrefix(text: "model.") { $0 != member.className + "Model" }],
        evidence: ["model.", "transformer."].map { .name($0 + "layers.{i}." + name) })
    }
    return [
      dialect(nil, shownBy: "\(single.module).experts.0.\(single.gate).weight") {
        separate($0, single)
      },
      dialect("fused", shownBy: "mlp.experts.gate_up_proj", fused),
    ]
  }

  private static func separate(_ prefix: String, _ names: SingleExperts) -> [Rule] {
    let module = prefix + "layers.{i}.\(names.module)."
    let expert = "decoder.blocks.{i}.feed_forward.experts.{e}."
    return .rename(module + "gate", "decoder.blocks.{i}.feed_forward.router")
      + .rename(module + "experts.{e}." + names.gate, expert + "gate")
      + .rename(module + "experts.{e}." + names.up, expert + "up")
      + .rename(module + "experts.{e}." + names.down, expert + "down")
  }

  private static func fused(_ prefix: String) -> [Rule] {
    let module = prefix + "layers.{i}.mlp."
    let expert = "decoder.blocks.{i}.feed_forward.experts.{e}."
    return .rename(module + "gate", "decoder.blocks.{i}.feed_forward.router")
      + .tensor(
        module + "experts.gate_up_proj",
        .stacked(
          .joined([.weight(expert + "gate.weight"), .weight(expert + "up.weight")], axis: 0),
          over: "e", axis: 0))
      + .tensor(
        module + "experts.down_proj",
        .stacked(.weight(expert + "down.weight"), over: "e", axis: 0))
  }

  /// Everything but experts.
  static func mixtralDecoder(_ prefix: String) -> [Rule] {
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
      + rename("mlp.gate_proj", "feed_forward.gate") + rename("mlp.up_proj", "feed_forward.up")
      + rename("mlp.down_proj", "feed_forward.down")
      + rename("mlp.shared_expert.gate_proj", "feed_forward.shared.gate")
      + rename("mlp.shared_expert.up_proj", "feed_forward.shared.up")
      + rename("mlp.shared_expert.down_proj", "feed_forward.shared.down")
      + rename("mlp.shared_expert_gate", "feed_forward.shared_gate")
      + rename("input_layernorm", "attention_norm")
      + rename("post_attention_layernorm", "feed_forward_norm")
      + .rename(prefix + "norm", "decoder.norm")
  }
}
