import Models

extension Dialect {
  /// NomicBERT as Hugging Face transformers stores it (models/nomic_bert/modeling_nomic_bert.py and
  /// conversion_mapping.py, 5.x), which are the names of the model's own code: queries, keys and values are one
  /// matrix.
  static let huggingFaceNomicBERT = huggingFaceNomicBERT(
    norm: "nomic_bert.emb_ln", evidence: "nomic_bert.encoder.layers.0.attn.Wqkv.weight",
    blocks: [
      .tensor("nomic_bert.encoder.layers.{i}.attn.Wqkv.weight", .encoderQueryKeyValue(".weight")),
      .encoderBlocks(
        "nomic_bert.encoder.layers.{i}.",
        [
          "attn.out_proj": "attention.output", "norm1": "attention_norm",
          "mlp.fc12": "feed_forward.gate", "mlp.fc11": "feed_forward.up",
          "mlp.fc2": "feed_forward.down", "norm2": "feed_forward_norm",
        ]),
    ])

  /// The same with the names of transformers 5's modules, which `torch.save(model.state_dict())` writes.
  static let huggingFaceNomicBERTModules = huggingFaceNomicBERT(
    variant: "modules", norm: "nomic_bert.embeddings.LayerNorm",
    evidence: "nomic_bert.layers.0.post_mlp_layernorm.weight",
    blocks: [
      .encoderBlocks(
        "nomic_bert.layers.{i}.",
        [
          "self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
          "self_attn.v_proj": "attention.value", "self_attn.o_proj": "attention.output",
          "post_attention_layernorm": "attention_norm", "mlp.gate_proj": "feed_forward.gate",
          "mlp.up_proj": "feed_forward.up", "mlp.down_proj": "feed_forward.down",
          "post_mlp_layernorm": "feed_forward_norm",
        ])
    ])

  private static func huggingFaceNomicBERT(
    variant: String? = nil, norm: String, evidence: String, blocks: [[Rule]]
  ) -> Dialect {
    Dialect(
      name: "huggingface",
      architecture: NomicBERT.name,
      variant: variant,
      rules: [
        .rename("nomic_bert.embeddings.word_embeddings", "embeddings.word"),
        .rename("nomic_bert.embeddings.token_type_embeddings", "embeddings.token_type"),
        .rename(norm, "embeddings.norm"),
      ] + blocks + [
        .rename("nomic_bert.pooler.dense", "pooler"),
        .huggingFaceWordScores(
          "cls.predictions.", transform: "transform.dense", norm: "transform.layer_norm"),
        .rename("classifier", "classifier"),
      ],
      prefixes: [
        OptionalPrefix(text: "nomic_bert.") { $0 != "NomicBertModel" },
        OptionalPrefix(text: "bert.", isWritten: { _ in false }, isInRules: false),
      ],
      evidence: [.name(evidence)])
  }
}
