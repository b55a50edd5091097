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
      .tensorFlowEmbeddings("bert/embeddings/"),
      .tensorFlowBlocks("bert/encoder/"),
      .tensorFlowLinear("bert/pooler/dense", "pooler"),
      .tensorFlowWordScores(
        dense: "cls/predictions/transform/dense", norm: "cls/predictions/transform/LayerNorm",
        bias: "cls/predictions/output_bias"),
      .tensorFlowOutput("cls/seq_relationship/output", "nsp_head"),
      .tensorFlowOutput("output", "classifier"),
      .tensorFlowOutput("cls/squad/output", "qa_head"),
    ],
    nativeConfig: .tensorFlow("bert_config.json"),
    limits: [
      .activation("gelu_new", "relu", "tanh", "linear", making: ["gelu": "gelu_new"]),
      .fact("epsilon", "\(1e-12)"), .fact("attention", "bidirectional"),
      .of(BERT.self, "the classifier") {
        $0.task == .tokenClassification
          ? ("on every token in the config", "on the pooled first one") : nil
      },
    ],
    evidence: [
      .name(
        "bert/embeddings/word_embeddings",
        without: "bert/encoder/transformer/group_0/inner_group_0/attention_1/self/query/kernel")
    ],
    ownFiles: .tensorFlow("google-research/bert"))
}
