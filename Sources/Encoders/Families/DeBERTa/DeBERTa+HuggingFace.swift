import Models

extension Dialect {
  /// DeBERTa v2 and v3 as Hugging Face transformers stores them (models/deberta_v2/modeling_deberta_v2.py, 5.x), and
  /// as its predecessors and the models' authors did.
  static let huggingFaceDeBERTaV2 = Dialect(
    name: "huggingface",
    architecture: DeBERTaV2.name,
    rules: [
      .huggingFaceEmbeddings("deberta."),
      .rename("deberta.embeddings.embed_proj", "embeddings.projection"),
      .rename("deberta.encoder.rel_embeddings", "encoder.distances"),
      .rename("deberta.encoder.LayerNorm", "encoder.distances.norm"),
      .rename("deberta.encoder.conv.conv", "encoder.convolution"),
      .rename("deberta.encoder.conv.LayerNorm", "encoder.convolution.norm"),
      .encoderBlocks(
        "deberta.encoder.layer.{i}.",
        [
          "attention.self.query_proj": "attention.query",
          "attention.self.key_proj": "attention.key",
          "attention.self.value_proj": "attention.value",
          "attention.self.pos_key_proj": "attention.position_key",
          "attention.self.pos_query_proj": "attention.position_query",
          "attention.output.dense": "attention.output",
          "attention.output.LayerNorm": "attention_norm", "intermediate.dense": "feed_forward.up",
          "output.dense": "feed_forward.down", "output.LayerNorm": "feed_forward_norm",
        ]),
      .with(
        "mlm_head.bias",
        .huggingFaceWordScores(
          "cls.predictions.", transform: "transform.dense", norm: "transform.LayerNorm")),
      .without("mlm_head.bias", newerWordScores),
      .rename("pooler.dense", "pooler"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
      .rename("mask_predictions.dense", "mask_dense"),
      .rename("mask_predictions.LayerNorm", "mask_norm"),
      .rename("mask_predictions.classifier", "mask_classifier"),
    ],
    prefixes: [OptionalPrefix(text: "deberta.") { $0 != "DebertaV2Model" }],
    otherEndings: formerNormNames,
    evidence: [
      .wholeName("deberta.embeddings.word_embeddings.weight"),
      .name("deberta.encoder.rel_embeddings.weight"),
      .name("deberta.encoder.layer.0.attention.self.query_proj.weight"),
    ])

  /// The head of the models' own code. It has no matrix over the words: that is always their table.
  private static let newerWordScores: [Rule] =
    .rename("lm_predictions.lm_head.dense", "mlm_head.transform")
    + .rename("lm_predictions.lm_head.LayerNorm", "mlm_head.norm")
    + .tensor("lm_predictions.lm_head.bias", .weight("mlm_head.decoder.bias"))
    + .tensor("lm_predictions.lm_head.decoder.weight", .weight("mlm_head.decoder.weight"))
}
