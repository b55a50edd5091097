import Models

extension Dialect {
  /// ELECTRA's discriminator as Google's TensorFlow code names its variables (google-research/electra:
  /// model/modeling.py, run_pretraining.py), in an npz or a TensorFlow checkpoint.
  ///
  /// A checkpoint of pre-training has the generator, too: `--allow-extra` leaves it out.
  static let googleELECTRA = google(
    "google-electra", encoder: "electra/",
    heads: [
      .tensorFlowLinear("discriminator_predictions/dense", "discriminator.dense"),
      .tensorFlowLinear("discriminator_predictions/dense_1", "discriminator.score"),
    ])

  /// Its generator, which shares the discriminator's embeddings.
  static let googleELECTRAGenerator = google(
    "google-electra-generator", encoder: "generator/",
    heads: [
      .tensorFlowWordScores(
        dense: "generator_predictions/dense", norm: "generator_predictions/LayerNorm",
        bias: "generator_predictions/output_bias", as: "mlm_head.decoder.bias")
    ])

  private static func google(_ name: String, encoder: String, heads: [[Rule]]) -> Dialect {
    Dialect(
      name: name,
      architecture: ELECTRA.name,
      rules: [
        .tensorFlowEmbeddings("electra/embeddings/"),
        .tensorFlowLinear(encoder + "embeddings_project", "embeddings.projection"),
        .tensorFlowBlocks(encoder + "encoder/"),
      ] + heads,
      limits: [
        .activation("gelu", "relu", "tanh", "linear"), .fact("epsilon", "\(1e-12)"),
        .fact("attention", "bidirectional"),
      ],
      evidence: [.name(encoder + "encoder/layer_0/attention/self/query/kernel")],
      ownFiles: .tensorFlow("google-research/electra"))
  }
}
