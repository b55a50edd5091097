import Models

extension Dialect {
  /// BERT as the package flash_attn names it (Dao-AILab/flash-attention: flash_attn/models/bert.py, 2.8): queries, keys and
  /// values are one matrix, and the words' matrix is stored again where it scores words.
  static let flashAttentionBERT = Dialect(
    name: "flash-attn",
    architecture: BERT.name,
    rules: [
      .rename("bert.embeddings.word_embeddings", "embeddings.word"),
      .rename("bert.embeddings.position_embeddings", "embeddings.position"),
      .rename("bert.embeddings.token_type_embeddings", "embeddings.token_type"),
      .rename("bert.emb_ln", "embeddings.norm"),
      .tensor("bert.encoder.layers.{i}.mixer.Wqkv.weight", .encoderQueryKeyValue(".weight")),
      .tensor("bert.encoder.layers.{i}.mixer.Wqkv.bias", .encoderQueryKeyValue(".bias")),
      .encoderBlocks(
        "bert.encoder.layers.{i}.",
        [
          "mixer.out_proj": "attention.output", "norm1": "attention_norm",
          "mlp.fc1": "feed_forward.up", "mlp.fc2": "feed_forward.down",
          "norm2": "feed_forward_norm",
        ]),
      .rename("bert.pooler.dense", "pooler"),
      .rename("cls.predictions.transform.dense", "mlm_head.transform"),
      .rename("cls.predictions.transform.layer_norm", "mlm_head.norm"),
      .tensor(
        "cls.predictions.decoder.weight", .weight("mlm_head.decoder.weight"), writesTie: .always),
      .tensor("cls.predictions.decoder.bias", .weight("mlm_head.bias")),
      .rename("cls.seq_relationship", "nsp_head"),
    ],
    prefixes: [OptionalPrefix(text: "bert.") { $0 != BERTHead.base.rawValue }],
    limits: [
      .activation("gelu", "gelu_new"), .fact("attention", "bidirectional"),
      .of(BERT.self, "the head") {
        [.base, .preTraining].contains($0.task)
          ? nil : ("\($0.head) in the config", "that of pre-training, or none")
      },
    ],
    evidence: [.name("bert.encoder.layers.0.mixer.Wqkv.weight")])
}
