import Models

extension Dialect {
  /// RoBERTa and its kin as fairseq stores them (fairseq 0.12: models/roberta/model.py), and, as a variant, as it did before 0.9,
  /// with queries, keys and values in one tensor; transformers'
  /// convert_roberta_original_pytorch_checkpoint_to_pytorch.py says what the names mean.
  ///
  /// Types of tokens are not there: all have the vector zero.
  static let fairseqRoBERTa: [Dialect] = [
    PlainRoBERTa.name, CamemBERT.name, XLMRoBERTa.name,
  ].flatMap { [fairseqRoBERTa($0, isFused: false), fairseqRoBERTa($0, isFused: true)] }

  private static func fairseqRoBERTa(_ architecture: String, isFused: Bool) -> Dialect {
    let layer = model + "layers.{i}."
    let parts: [Rule] = isFused ? fused(layer) : apart(layer)
    let joined = "sentence_encoder.layers.0.self_attn.in_proj_weight"
    return Dialect(
      name: "fairseq",
      architecture: architecture, variant: isFused ? "fused" : nil,
      rules: [
        .rename(model + "embed_tokens", "embeddings.word"),
        .rename(model + "embed_positions", "embeddings.position"),
        .rename(model + "layernorm_embedding", "embeddings.norm"),
        parts,
        .encoderBlocks(
          layer,
          [
            "self_attn.out_proj": "attention.output", "self_attn_layer_norm": "attention_norm",
            "fc1": "feed_forward.up", "fc2": "feed_forward.down",
            "final_layer_norm": "feed_forward_norm",
          ]),
        .rename("encoder.lm_head.dense", "mlm_head.transform"),
        .rename("encoder.lm_head.layer_norm", "mlm_head.norm"),
        .tensor(
          "encoder.lm_head.weight", .weight("mlm_head.decoder.weight"), writesTie: .always),
        .tensor("encoder.lm_head.bias", .weight("mlm_head.bias")),
        .rename("classification_heads.mnli.dense", "classifier_dense"),
        .with(
          "classifier_dense.weight", .rename("classification_heads.mnli.out_proj", "classifier")),
      ],
      prefixes: [
        OptionalPrefix(text: "encoder.") { _ in true },
        OptionalPrefix(text: "decoder.", isWritten: { _ in false }, isInRules: false),
      ],
      otherEndings: ["weight", "bias"].map {
        (other: "emb_layer_norm.\($0)", usual: "layernorm_embedding.\($0)")
      },
      omissible: .zeros("embeddings.token_type.weight"),
      unread: unread,
      limits: [
        .fact("epsilon", "\(1e-5)"), .fact("attention", "bidirectional"),
        .fact("pad_token_id", "1"),
      ],
      evidence: isFused
        ? [.name("encoder." + joined)]
        : [
          .name(
            model + "embed_tokens.weight", without: joined, "encoder." + joined, "decoder." + joined
          )
        ])
  }

  private static let model = "encoder.sentence_encoder."

  private static func fused(_ layer: String) -> [Rule] {
    .tensor("\(layer)self_attn.in_proj_weight", .encoderQueryKeyValue(".weight"))
      + .tensor("\(layer)self_attn.in_proj_bias", .encoderQueryKeyValue(".bias"))
  }

  private static func apart(_ layer: String) -> [Rule] {
    .encoderBlocks(
      layer,
      [
        "self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
        "self_attn.v_proj": "attention.value",
      ])
  }

  /// A version, and what layers hold a second time for a faster pass.
  private static let unread: [(stored: String, reason: String)] = {
    var tensors: [(stored: String, reason: String)] = [(model + "version", "a version")]
    for name in ["in_proj", "out_proj", "fc1", "fc2"] {
      for ending in ["weight", "bias"] {
        let stored = model + "layers.{i}.\(name)_\(ending)"
        tensors.append((stored, "a copy for fairseq's fast path"))
      }
    }
    return tensors
  }()
}
