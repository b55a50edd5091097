import Models

extension Dialect {
  /// BERT as Google's TensorFlow code names its variables (google-research/bert: modeling.py,
  /// run_pretraining.py, run_classifier.py, run_squad.py), in an npz.
  ///
  /// Kernels are `[in, out]`. The heads' `output_weights` are `[out, in]` already, and the decoder of
  /// the masked LM is not stored, since it is tied.
  static let googleBERT = Dialect(
    name: "google-bert",
    architecture: BERT.name,
    rules: [
      .rename("bert/embeddings/word_embeddings", "embeddings.word.weight"),
      .rename("bert/embeddings/position_embeddings", "embeddings.position.weight"),
      .rename("bert/embeddings/token_type_embeddings", "embeddings.token_type.weight"),
      norm("bert/embeddings/LayerNorm", "embeddings.norm"),
      layer("attention/self/query", "attention.query"),
      layer("attention/self/key", "attention.key"),
      layer("attention/self/value", "attention.value"),
      layer("attention/output/dense", "attention.output"),
      norm(encoderLayer + "attention/output/LayerNorm", "encoder.blocks.{i}.attention_norm"),
      layer("intermediate/dense", "feed_forward.up"),
      layer("output/dense", "feed_forward.down"),
      norm(encoderLayer + "output/LayerNorm", "encoder.blocks.{i}.feed_forward_norm"),
      dense("bert/pooler/dense", "pooler"),
      dense("cls/predictions/transform/dense", "mlm_head.transform"),
      norm("cls/predictions/transform/LayerNorm", "mlm_head.norm"),
      .rename("cls/predictions/output_bias", "mlm_head.bias"),
      output("cls/seq_relationship/output", "nsp_head"),
      output("output", "classifier"),
      output("cls/squad/output", "qa_head"),
    ],
    nativeConfig: .renamed(
      "bert_config.json",
      [
        "attention_probs_dropout_prob", "hidden_act", "hidden_dropout_prob", "hidden_size",
        "initializer_range", "intermediate_size", "max_position_embeddings",
        "num_attention_heads", "num_hidden_layers", "type_vocab_size", "vocab_size",
      ].map { (native: $0, usual: $0) },
      // Its gelu is the tanh form.
      values: [
        "hidden_act": Dictionary(["gelu_new", "gelu_pytorch_tanh"].map { ($0, "gelu") }) { $1 }
      ],
      labels: "output_weights"),
    limits: [
      .activation("gelu_new", "relu", "tanh", "linear", making: ["gelu": "gelu_new"]),
      .fact("epsilon", "\(1e-12)"), .fact("attention", "bidirectional"),
      .of(BERT.self, "the classifier") {
        $0.task == .tokenClassification
          ? ("on every token in the config", "on the pooled first one") : nil
      },
    ],
    evidence: [.name("bert/embeddings/word_embeddings")],
    ownFiles: .tensorFlow("google-research/bert"))

  private static let encoderLayer = "bert/encoder/layer_{i}/"

  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    dense(encoderLayer + stored, "encoder.blocks.{i}." + path)
  }

  private static func dense(_ stored: String, _ path: String) -> [Rule] {
    .tensor(stored + "/kernel", .transposed(.weight(path + ".weight")))
      + .tensor(stored + "/bias", .weight(path + ".bias"))
  }

  private static func norm(_ stored: String, _ path: String) -> [Rule] {
    .tensor(stored + "/gamma", .weight(path + ".weight"))
      + .tensor(stored + "/beta", .weight(path + ".bias"))
  }

  private static func output(_ stored: String, _ path: String) -> [Rule] {
    .tensor(stored + "_weights", .weight(path + ".weight"))
      + .tensor(stored + "_bias", .weight(path + ".bias"))
  }
}
