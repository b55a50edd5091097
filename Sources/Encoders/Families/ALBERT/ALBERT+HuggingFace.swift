import Models

extension Dialect {
  /// ALBERT as Hugging Face transformers stores it (models/albert/modeling_albert.py, 5.x), and as its
  /// predecessors did.
  static let huggingFaceALBERT = Dialect(
    name: "huggingface",
    architecture: ALBERT.name,
    rules: [
      .huggingFaceEmbeddings("albert."),
      .rename("albert.encoder.embedding_hidden_mapping_in", "embeddings.projection"),
      .sharedBlocks(
        "albert.encoder.albert_layer_groups.{i}.albert_layers.{e}.",
        [
          "attention.query": "attention.query", "attention.key": "attention.key",
          "attention.value": "attention.value", "attention.dense": "attention.output",
          "attention.LayerNorm": "attention_norm", "ffn": "feed_forward.up",
          "ffn_output": "feed_forward.down", "full_layer_layer_norm": "feed_forward_norm",
        ]),
      .rename("albert.pooler", "pooler"),
      .huggingFaceWordScores("predictions.", transform: "dense", norm: "LayerNorm"),
      .rename("sop_classifier.classifier", "nsp_head"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "albert.") { $0 != "AlbertModel" }],
    otherEndings: formerNormNames,
    evidence: [
      .name("albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight")
    ])
}
