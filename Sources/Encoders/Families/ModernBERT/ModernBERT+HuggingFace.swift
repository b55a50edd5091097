import Models

extension Dialect {
  /// ModernBERT as Hugging Face transformers stores it (models/modernbert/modeling_modernbert.py, 5.x).
  static let huggingFaceModernBERT = Dialect(
    name: "huggingface",
    architecture: ModernBERT.name,
    rules: [
      .rename("model.embeddings.tok_embeddings", "embeddings.word"),
      .rename("model.embeddings.norm", "embeddings.norm"),
      .encoderBlocks(
        "model.layers.{i}.",
        [
          "attn.Wo": "attention.output", "mlp.Wo": "feed_forward.down",
          "attn_norm": "attention_norm", "mlp_norm": "feed_forward_norm",
        ]),
      ["weight", "bias"].flatMap { part -> [Rule] in
        .tensor("model.layers.{i}.attn.Wqkv.\(part)", .encoderQueryKeyValue(".\(part)"))
          + .tensor("model.layers.{i}.mlp.Wi.\(part)", .encoderGateUp(".\(part)"))
      },
      .rename("model.final_norm", "encoder.norm"),
      .rename("decoder", "mlm_head.decoder"),
      .with(
        "classifier_dense.weight", .rename("head.dense", "classifier_dense"),
        .rename("head.norm", "classifier_norm")),
      .without(
        "classifier_dense.weight", .rename("head.dense", "mlm_head.transform"),
        .rename("head.norm", "mlm_head.norm")),
      .with("qa_head.weight", .rename("classifier", "qa_head")),
      .without("qa_head.weight", .rename("classifier", "classifier")),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 != "ModernBertModel" }],
    evidence: [.name("model.embeddings.tok_embeddings.weight")])
}
