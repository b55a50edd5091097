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
      .rename("bert.embeddings.LayerNorm", "embeddings.norm"),
      .rename(
        "bert.encoder.layer.{i}.attention.self.query", "encoder.blocks.{i}.attention.query"),
      .rename("bert.encoder.layer.{i}.attention.self.key", "encoder.blocks.{i}.attention.key"),
      .rename(
        "bert.encoder.layer.{i}.attention.self.value", "encoder.blocks.{i}.attention.value"),
      .rename(
        "bert.encoder.layer.{i}.attention.output.dense", "encoder.blocks.{i}.attention.output"),
      .rename(
        "bert.encoder.layer.{i}.attention.output.LayerNorm", "encoder.blocks.{i}.attention_norm"),
      .rename("bert.encoder.layer.{i}.intermediate.dense", "encoder.blocks.{i}.feed_forward.up"),
      .rename("bert.encoder.layer.{i}.output.dense", "encoder.blocks.{i}.feed_forward.down"),
      .rename(
        "bert.encoder.layer.{i}.output.LayerNorm", "encoder.blocks.{i}.feed_forward_norm"),
      .rename("bert.pooler.dense", "pooler"),
      .rename("cls.predictions.transform.dense", "mlm_head.transform"),
      .rename("cls.predictions.transform.LayerNorm", "mlm_head.norm"),
      .rename("cls.predictions.decoder", "mlm_head.decoder"),
      .rename("cls.predictions.bias", "mlm_head.bias"),
      .rename("cls.seq_relationship", "nsp_head"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    optionalPrefixes: ["bert."],
    oldEndings: [
      (old: "LayerNorm.gamma", new: "LayerNorm.weight"),
      (old: "LayerNorm.beta", new: "LayerNorm.bias"),
    ],
    buffers: [
      ConstantBuffer(
        stored: "bert.embeddings.position_ids",
        content: .positions(of: "embeddings.position.weight"))
    ],
    evidence: ["bert.embeddings.word_embeddings.weight"])
}
