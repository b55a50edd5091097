import Models

extension Dialect {
  /// MPNet as Hugging Face transformers stores it (models/mpnet/modeling_mpnet.py, 5.x), and as its
  /// predecessors did.
  static let huggingFaceMPNet = Dialect(
    name: "huggingface",
    architecture: MPNet.name,
    rules: [
      .huggingFaceEmbeddings("mpnet."),
      .encoderBlocks(
        "mpnet.encoder.layer.{i}.",
        [
          "attention.attn.q": "attention.query", "attention.attn.k": "attention.key",
          "attention.attn.v": "attention.value", "attention.attn.o": "attention.output",
          "attention.LayerNorm": "attention_norm", "intermediate.dense": "feed_forward.up",
          "output.dense": "feed_forward.down", "output.LayerNorm": "feed_forward_norm",
        ]),
      .rename("mpnet.encoder.relative_attention_bias", "encoder.relative_bias"),
      .rename("mpnet.pooler.dense", "pooler"),
      .huggingFaceWordScores("lm_head.", transform: "dense", norm: "layer_norm"),
      .huggingFaceClassifier(),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "mpnet.") { $0 != "MPNetModel" }],
    otherEndings: formerNormNames,
    evidence: [.name("mpnet.encoder.relative_attention_bias.weight")])
}
