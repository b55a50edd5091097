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
        .name("model.shared.weight"),
        .name(
          "model.encoder.embed_tokens.weight", without: "decoder.version",
          "decoder.output_projection.weight"),
        .name(
          "model.decoder.embed_tokens.weight", without: "decoder.version",
          "decoder.output_projection.weight"),
      ])
  }

  /// BART as fairseq stores it (fairseq 0.12: models/bart/model.py, models/transformer), one table of words under three
  /// names; transformers' convert_bart_original_pytorch_checkpoint_to_pytorch.py says what they mean.
  static let fairseqBART = Dialect(
    name: "fairseq",
    architecture: OriginalBART.name,
    rules: [
      .tensor(
        "model.encoder.embed_tokens.weight", .weight("embeddings.word.weight"),
        copies: ["model.decoder.embed_tokens.weight", "model.decoder.output_projection.weight"],
        writesCopies: true),
      stack("encoder"), stack("decoder"),
      attention("decoder", "encoder_attn", "cross_attention"),
      .rename("model.classification_heads.mnli.dense", "classification_head.dense"),
      .rename("model.classification_heads.mnli.out_proj", "classification_head.output"),
    ],
    prefixes: [OptionalPrefix(text: "model.") { _ in false }],
    omissible: .zeros("lm_head.bias"),
    unread: unreadByFairseq,
    evidence: [.name("model.decoder.output_projection.weight"), .name("model.decoder.version")])

  /// FSMT as Hugging Face transformers stores it (models/fsmt/modeling_fsmt.py, 5.x).
  ///
  /// Without computed positions, and without the matrix that scores words where it is the decoder's table, in files of
  /// transformers 4.
  static let huggingFaceFSMT = Dialect(
    name: "huggingface",
    architecture: FSMT.name,
    rules: [
      .without(
        "encoder.embeddings.word.weight",
        .tensor(
          "model.decoder.embed_tokens.weight", .weight("embeddings.word.weight"),
          copies: [
            "model.encoder.embed_tokens.weight", "model.decoder.output_projection.weight",
          ])),
      .with(
        "encoder.embeddings.word.weight",
        .tensor("model.encoder.embed_tokens.weight", .weight("encoder.embeddings.word.weight")),
        .tensor("model.decoder.embed_tokens.weight", .weight("decoder.embeddings.word.weight")),
        .tensor(
          "model.decoder.output_projection.weight", .weight("lm_head.weight"), writesTie: .always)),
      stack("encoder"), stack("decoder"),
      attention("decoder", "encoder_attn", "cross_attention"),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "FSMTModel" }],
    evidence: [
      .name(
        "model.encoder.embed_tokens.weight",
        without: "encoder.layernorm_embedding.weight", "model.encoder.layernorm_embedding.weight",
        "encoder.layer_norm.weight", "model.encoder.layer_norm.weight", "model.shared.weight",
        "shared.weight")
    ])

  /// Versions, and what the encoder's layers hold a second time for a faster pass.
  private static let unreadByFairseq: [(stored: String, reason: String)] = {
    var tensors: [(stored: String, reason: String)] = []
    for stack in ["encoder", "decoder"] {
      tensors.append(("model.\(stack).version", "a version"))
    }
    for name in ["in_proj", "out_proj", "fc1", "fc2"] {
      for ending in ["weight", "bias"] {
        let stored = "model.encoder.layers.{i}.\(name)_\(ending)"
        tensors.append((stored, "a copy for fairseq's fast path"))
      }
    }
    return tensors
  }()

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
