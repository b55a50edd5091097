import Models

extension Dialect {
  /// RoFormer as Hugging Face transformers stores it (models/roformer/modeling_roformer.py, 5.x), and as its
  /// predecessors did.
  static let huggingFaceRoFormer = Dialect(
    name: "huggingface",
    architecture: RoFormer.name,
    rules: [
      .huggingFaceEncoder("roformer."),
      .rename("roformer.embeddings_project", "embeddings.projection"),
      .rename("roformer.encoder.embed_positions.weight", "encoder.rotary_table.weight"),
      .huggingFaceWordScores(
        "cls.predictions.", transform: "transform.dense", norm: "transform.LayerNorm"),
      .huggingFaceClassifier(),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "roformer.") { $0 != "RoFormerModel" }],
    otherEndings: formerNormNames,
    evidence: [
      .wholeName("roformer.embeddings.word_embeddings.weight"),
      .name("roformer.encoder.embed_positions.weight"),
    ])
}
