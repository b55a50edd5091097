import Models

extension Dialect {
  /// NomicBERT as Hugging Face transformers stores it (models/nomic_bert/modeling_nomic_bert.py and
  /// conversion_mapping.py, 5.x), which are the names of the model's own code: queries, keys and values are one
  /// matrix.
  static let huggingFaceNomicBERT = Dialect(
    name: "huggingface",
    architecture: NomicBERT.name,
    rules: [
      .rename("nomic_bert.embeddings.word_embeddings", "embeddings.word"),
      .rename("nomic_bert.embeddings.token_type_embeddings", "embeddings.token_type"),
      .rename("nomic_bert.emb_ln", "embeddings.norm"),
      .tensor("nomic_bert.encoder.layers.{i}.attn.Wqkv.weight", .encoderQueryKeyValue(".weight")),
      .encoderBlocks(
        "nomic_bert.encoder.layers.{i}.",
        [
          "attn.out_proj": "attention.output", "norm1": "attention_norm",
          "mlp.fc12": "feed_forward.gate", "mlp.fc11": "feed_forward.up",
          "mlp.fc2": "feed_forward.down", "norm2": "feed_forward_norm",
        ]),
      .rename("nomic_bert.pooler.dense", "pooler"),
      .huggingFaceWordScores(
        "cls.predictions.", transform: "transform.dense", norm: "transform.layer_norm"),
      .rename("classifier", "classifier"),
    ],
    prefixes: [
      OptionalPrefix(text: "nomic_bert.") { $0 != "NomicBertModel" },
      OptionalPrefix(text: "bert.", isWritten: { _ in false }, isInRules: false),
    ],
    evidence: [.name("nomic_bert.encoder.layers.0.attn.Wqkv.weight")])
}
