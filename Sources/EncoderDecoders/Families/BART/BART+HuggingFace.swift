import Models

extension Dialect {
  /// BART and its kin as Hugging Face transformers stores them (models/bart/modeling_bart.py, mbart, marian, pegasus,
  /// m2m_100, 5.x).
  ///
  /// Older files hold the embedding also, or only, under the names of the two stacks, and computed positions.
  static func huggingFaceBART<Member: BARTMember>(_: Member.Type) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: Member.name,
      rules: [
        words,
        stack("encoder"),
        stack("decoder"),
        attention("decoder", "encoder_attn", "cross_attention"),
        .rename("lm_head.weight", "lm_head.weight"),
        .tensor("final_logits_bias", .unit(.weight("lm_head.bias"), axis: 0)),
        .rename("classification_head.dense", "classification_head.dense"),
        .rename("classification_head.out_proj", "classification_head.output"),
        .rename("qa_outputs", "qa_head"),
      ],
      prefixes: [
        OptionalPrefix(text: "model.") { head in
          Member.classes.first { $0.name == head }?.head != .base
        }
      ],
      evidence: [
        .name("model.shared.weight"), .name("model.encoder.embed_tokens.weight"),
        .name("model.decoder.embed_tokens.weight"),
      ])
  }

  private static var words: [Rule] {
    let (encoder, decoder) = ("encoder.embeddings.word.weight", "decoder.embeddings.word.weight")
    let names = ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"]
    return .without(
      encoder, .tensor("model.shared.weight", .weight("embeddings.word.weight"), copies: names))
      + .with(
        encoder, .tensor("model.shared.weight", .weight("embeddings.word.weight")),
        .tensor(names[0], .weight(encoder), writesTie: .always),
        .tensor(names[1], .weight(decoder), writesTie: .always))
  }

  private static func stack(_ name: String) -> [Rule] {
    func layer(_ stored: String, _ path: String) -> [Rule] {
      .rename("model.\(name).layers.{i}.\(stored)", "\(name).blocks.{i}.\(path)")
    }
    return .rename("model.\(name).embed_positions", "\(name).embeddings.position")
      + .tensor(
        "model.\(name).embed_positions.weights", .weight("\(name).embeddings.sinusoids"))
      + .rename("model.\(name).layernorm_embedding", "\(name).embeddings.norm")
      + attention(name, "self_attn", "attention")
      + layer("fc1", "feed_forward.up") + layer("fc2", "feed_forward.down")
      + layer("final_layer_norm", "feed_forward_norm")
      + .rename("model.\(name).layer_norm", "\(name).norm")
  }

  private static func attention(_ stack: String, _ module: String, _ path: String) -> [Rule] {
    let stored = "model.\(stack).layers.{i}.\(module)"
    let path = "\(stack).blocks.{i}.\(path)"
    let parts = [
      ("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "output"),
    ]
    return parts.flatMap { [Rule].rename("\(stored).\($0.0)", "\(path).\($0.1)") }
      + .rename("\(stored)_layer_norm", "\(path)_norm")
  }
}
