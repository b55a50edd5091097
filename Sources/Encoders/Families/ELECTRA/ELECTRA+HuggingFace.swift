import Models

extension Dialect {
  /// ELECTRA as Hugging Face transformers stores it (models/electra/modeling_electra.py, 5.x), and as its
  /// predecessors did.
  static let huggingFaceELECTRA = Dialect(
    name: "huggingface",
    architecture: ELECTRA.name,
    rules: [
      .huggingFaceEncoder("electra."),
      .rename("electra.embeddings_project", "embeddings.projection"),
      .rename("generator_predictions.dense", "mlm_head.transform"),
      .rename("generator_predictions.LayerNorm", "mlm_head.norm"),
      .rename("generator_lm_head", "mlm_head.decoder"),
      .rename("discriminator_predictions.dense", "discriminator.dense"),
      .rename("discriminator_predictions.dense_prediction", "discriminator.score"),
      .huggingFaceClassifier(),
      .rename("sequence_summary.summary", "summary"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "electra.") { $0 != "ElectraModel" }],
    otherEndings: formerNormNames,
    evidence: [
      .wholeName("electra.embeddings.word_embeddings.weight"), .name("embeddings_project.weight"),
    ])
}
