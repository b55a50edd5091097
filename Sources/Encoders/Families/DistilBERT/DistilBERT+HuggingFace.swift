import Models

extension Dialect {
  /// DistilBERT as Hugging Face transformers stores it (models/distilbert/modeling_distilbert.py, 5.x), and as
  /// its predecessors did.
  static let huggingFaceDistilBERT = Dialect(
    name: "huggingface",
    architecture: DistilBERT.name,
    rules: [
      .huggingFaceEmbeddings("distilbert."),
      .encoderBlocks(
        "distilbert.transformer.layer.{i}.",
        [
          "attention.q_lin": "attention.query", "attention.k_lin": "attention.key",
          "attention.v_lin": "attention.value", "attention.out_lin": "attention.output",
          "sa_layer_norm": "attention_norm", "ffn.lin1": "feed_forward.up",
          "ffn.lin2": "feed_forward.down", "output_layer_norm": "feed_forward_norm",
        ]),
      .rename("vocab_transform", "mlm_head.transform"),
      .rename("vocab_layer_norm", "mlm_head.norm"),
      .rename("vocab_projector", "mlm_head.decoder"),
      .rename("pre_classifier", "classifier_dense"),
      .rename("classifier", "classifier"),
      .rename("qa_outputs", "qa_head"),
    ],
    prefixes: [OptionalPrefix(text: "distilbert.") { $0 != "DistilBertModel" }],
    otherEndings: formerNormNames,
    evidence: [.name("distilbert.transformer.layer.0.attention.q_lin.weight")])
}
