import Models

extension Dialect {
  /// The members as Hugging Face transformers stores them (models/deepseek_v2, deepseek_v3), and as the models'
  /// own code does: an expert by itself; or as the modules of transformers 5 have them, the experts of a layer
  /// in one tensor.
  static let huggingFaceDeepSeek: [Dialect] =
    huggingFaceDeepSeek(DeepSeekV2.self) + huggingFaceDeepSeek(DeepSeekV3.self)

  private static func huggingFaceDeepSeek(_ member: any DeepSeekMember.Type) -> [Dialect] {
    func dialect(_ variant: String?, shownBy name: String, _ experts: [Rule]) -> Dialect {
      Dialect(
        name: "huggingface",
        architecture: member.name,
        variant: variant,
        rules: [
          .rename("model.embed_tokens", "embeddings.word"),
          attention, feedForward, experts,
          layer("input_layernorm", "attention_norm"),
          layer("post_attention_layernorm", "feed_forward_norm"),
          further,
          .rename("model.norm", "decoder.norm"),
          .rename("lm_head", "lm_head"),
          .with("score.weight", .rename("score", "score")),
          .with("classifier.weight", .rename("score", "classifier")),
        ],
        prefixes: [OptionalPrefix(text: "model.") { $0 != member.className + "Model" }],
        evidence: [.name("model.layers.{i}.mlp.experts." + name)])
    }
    return [
      dialect(nil, shownBy: "0.gate_proj.weight", separate),
      dialect("fused", shownBy: "gate_up_proj", fused),
    ]
  }

  private static let block = "decoder.blocks.{i}."
  private static let expert = "decoder.blocks.{i}.feed_forward.experts.{e}."

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("model.layers.{i}." + stored, block + path)
  }

  private static var attention: [Rule] {
    let module = "model.layers.{i}.self_attn."
    let latent = block + "attention.query_latent.weight"
    let latents = ["weight", "bias"].flatMap { part in
      [Rule].tensor(
        "\(module)kv_a_proj_with_mqa.\(part)",
        .joined(
          ["latent", "turned_key"].map { .weight("\(block)attention.\($0).\(part)") }, axis: 0))
    }
    let keysAndValues = [Rule].tensor(
      module + "kv_b_proj.weight",
      .merged(
        .joined(
          [("key", "plain_size"), ("value", "value_size")].map { part, size in
            .divided(.weight("\(block)attention.\(part).weight"), axis: 0, inner: size)
          }, axis: 1), axis: 0))
    return .without(latent, layer("self_attn.q_proj", "attention.query"))
      + .with(latent, layer("self_attn.q_b_proj", "attention.query"))
      + layer("self_attn.q_a_proj", "attention.query_latent")
      + layer("self_attn.q_a_layernorm", "attention.query_latent_norm")
      + latents + layer("self_attn.kv_a_layernorm", "attention.latent_norm") + keysAndValues
      + layer("self_attn.o_proj", "attention.output")
  }

  private static var feedForward: [Rule] {
    ["gate", "up", "down"].flatMap { part in
      layer("mlp.\(part)_proj", "feed_forward.\(part)")
        + layer("mlp.shared_experts.\(part)_proj", "feed_forward.shared.\(part)")
    } + layer("mlp.gate", "feed_forward.router")
      + layer("mlp.gate.e_score_correction_bias", "feed_forward.router.choice_bias")
  }

  /// What a block has that predicts one more token.
  private static var further: [Rule] {
    [
      ("hnorm", "state_norm"), ("enorm", "token_norm"), ("eh_proj", "projection"),
      ("embed_tokens", "word"), ("shared_head.norm", "head_norm"), ("shared_head.head", "head"),
    ].flatMap { layer($0, $1) }
  }

  private static var separate: [Rule] {
    ["gate", "up", "down"].flatMap { part in
      [Rule].rename("model.layers.{i}.mlp.experts.{e}.\(part)_proj", expert + part)
    }
  }

  private static var fused: [Rule] {
    .tensor(
      "model.layers.{i}.mlp.experts.gate_up_proj",
      .stacked(
        .joined([.weight(expert + "gate.weight"), .weight(expert + "up.weight")], axis: 0),
        over: "e", axis: 0))
      + .tensor(
        "model.layers.{i}.mlp.experts.down_proj",
        .stacked(.weight(expert + "down.weight"), over: "e", axis: 0))
  }
}
