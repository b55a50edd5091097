import Models

extension Dialect {
  /// BERT as Hugging Face transformers stores it (models/bert/modeling_bert.py, 5.x), and as its
  /// predecessors did: norms called gamma and beta, stored position ids, and any or no `bert.`.
  static let huggingFaceBERT = Dialect(
    name: "huggingface",
    architecture: BERT.name,
    rules: [
      .rename("bert.embeddings.word_embeddings", "embeddings.word"),
      .rename("bert.embeddings.position_embeddings", "embeddings.position"),
      .rename("bert.embeddings.token_type_embeddings", "embeddings.token_type"),
      .tensor(
        "bert.embeddings.position_ids", .unit(.weight("embeddings.position_ids"), axis: 0),
        .weight("embeddings.position_ids")),
      .tensor(
        "bert.embeddings.token_type_ids", .unit(.weight("embeddings.token_type_ids"), axis: 0),
        .weight("embeddings.token_type_ids")),
      .rename("bert.embeddings.LayerNorm", "embeddings.norm"),
      layer("attention.self.query", "attention.query"),
      layer("attention.self.key", "attention.key"),
      layer("attention.self.value", "attention.value"),
      layer("attention.output.dense", "attention.output"),
      layer("attention.output.LayerNorm", "attention_norm"),
      layer("crossattention.self.query", "cross_attention.query"),
      layer("crossattention.self.key", "cross_attention.key"),
      layer("crossattention.self.value", "cross_attention.value"),
      layer("crossattention.output.dense", "cross_attention.output"),
      layer("crossattention.output.LayerNorm", "cross_attention_norm"),
      layer("intermediate.dense", "feed_forward.up"),
      layer("output.dense", "feed_forward.down"),
      layer("output.LayerNorm", "feed_forward_norm"),
      .rename("bert.pooler.dense", "pooler"),
      .rename("cls.predictions.transform.dense", "mlm_head.transform"),
      .rename("cls.predictions.transform.LayerNorm", "mlm_head.norm"),
      .rename("cls.predictions.bias", "mlm_head.bias"),
      .rename("cls.predictions.decoder.weight", "mlm_head.decoder.weight"),
      // transformers 5 reads an untied decoder without a bias of its own as one with a zero bias.
      .rename(
        "cls.predictions.decoder.bias", "mlm_head.decoder.bias",
        writesTie: .unlessTied("mlm_head.decoder.weight")),
      .rename("cls.seq_relationship", "nsp_head"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "bert.") { $0 != BERTHead.base.rawValue }],
    otherEndings: [
      (other: "LayerNorm.gamma", usual: "LayerNorm.weight"),
      (other: "LayerNorm.beta", usual: "LayerNorm.bias"),
    ],
    evidence: [
      .name(
        "bert.embeddings.word_embeddings.weight",
        without: "bert.encoder.layers.0.mixer.Wqkv.weight", "encoder.layers.0.mixer.Wqkv.weight")
    ])

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("bert.encoder.layer.{i}." + stored, "encoder.blocks.{i}." + path)
  }
}

extension Dialect {
  /// BERT as transformers 4 stores it of Flax and of TensorFlow. There the head knows the embeddings: all of
  /// them are stored again with it.
  static let bertOfFrameworks: [Dialect] = [
    huggingFaceBERT.inFlax(bertModules),
    {
      var modules = bertModules
      modules.missing = ["cls.predictions.decoder."]
      modules.writesPrefixes = true
      modules.renamed = [
        (from: "cls/seq_relationship", to: "nsp___cls/seq_relationship"),
        (from: "cls/predictions", to: "mlm___cls/predictions"),
      ]
      modules.again = (beginning: "bert/embeddings/", under: "mlm___cls/")
      return huggingFaceBERT.inTensorFlow(modules)
    }(),
  ]

  private static let bertModules = FrameworkModules(
    embeddings: ["word_embeddings", "position_embeddings", "token_type_embeddings"],
    norms: ["LayerNorm"], missing: ["cls.predictions.decoder.bias"])
}
