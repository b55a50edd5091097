import Models

extension Dialect {
  /// ALBERT as Google's TensorFlow code names its variables (google-research/albert: modeling.py, run_pretraining.py,
  /// classifier_utils.py, squad_utils.py), in an npz or a TensorFlow checkpoint.
  static let googleALBERT = Dialect(
    name: "google-albert",
    architecture: ALBERT.name,
    rules: [
      .tensorFlowEmbeddings("bert/embeddings/"),
      .tensorFlowLinear("bert/encoder/embedding_hidden_mapping_in", "embeddings.projection"),
      shared("attention_1/self/query", "attention.query"),
      shared("attention_1/self/key", "attention.key"),
      shared("attention_1/self/value", "attention.value"),
      shared("attention_1/output/dense", "attention.output"),
      .tensorFlowNorm(stored + "LayerNorm", path + "attention_norm"),
      shared("ffn_1/intermediate/dense", "feed_forward.up"),
      shared("ffn_1/intermediate/output/dense", "feed_forward.down"),
      .tensorFlowNorm(stored + "LayerNorm_1", path + "feed_forward_norm"),
      .tensorFlowLinear("bert/pooler/dense", "pooler"),
      .tensorFlowWordScores(
        dense: "cls/predictions/transform/dense", norm: "cls/predictions/transform/LayerNorm",
        bias: "cls/predictions/output_bias"),
      .tensorFlowOutput("cls/seq_relationship/output", "nsp_head"),
      .tensorFlowOutput("output", "classifier"),
      .tensorFlowOutput("cls/squad/output", "qa_head"),
    ],
    nativeConfig: .tensorFlow(
      "albert_config.json",
      more: [
        "down_scale_factor", "embedding_size", "gap_size", "inner_group_num",
        "net_structure_type", "num_hidden_groups", "num_memory_blocks",
      ]),
    limits: [
      .activation("gelu_new", "relu", "tanh", "linear", making: ["gelu": "gelu_new"]),
      .fact("epsilon", "\(1e-12)"),
      .of(ALBERT.self, "the projection of embeddings") {
        $0.form.width == $0.form.embedding.width
          ? ("there in the config", "left out where embeddings are as wide as states") : nil
      },
      .of(ALBERT.self, "the classifier") {
        $0.form.head.task == .tokenClassification
          ? ("on every token in the config", "on the pooled first one") : nil
      },
    ],
    evidence: [
      .name("bert/encoder/transformer/group_0/inner_group_0/attention_1/self/query/kernel")
    ],
    ownFiles: .tensorFlow("google-research/albert"))

  private static let stored = "bert/encoder/transformer/group_{i}/inner_group_{e}/"
  private static let path = "encoder.groups.{i}.blocks.{e}."

  private static func shared(_ name: String, _ module: String) -> [Rule] {
    .tensorFlowLinear(stored + name, path + module)
  }
}
