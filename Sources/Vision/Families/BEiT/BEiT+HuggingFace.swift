import Models

extension Dialect {
  /// BEiT as Hugging Face transformers stores it (models/beit/modeling_beit.py, 4.x and 5.x).
  static let huggingFaceBEiT = Dialect(
    name: "huggingface",
    architecture: BEiT.name,
    rules: [
      .huggingFaceImageEncoder(
        "beit.",
        norms: ["layernorm_before": "attention_norm", "layernorm_after": "feed_forward_norm"],
        maskAxes: 2),
      .imageBlocks(
        "beit.encoder.layer.{i}.",
        ["intermediate.dense": "feed_forward.up", "output.dense": "feed_forward.down"]),
      .tensor(
        "beit.encoder.layer.{i}.lambda_1", .weight("encoder.blocks.{i}.attention_scale.weight")),
      .tensor(
        "beit.encoder.layer.{i}.lambda_2",
        .weight("encoder.blocks.{i}.feed_forward_scale.weight")),
      places("beit.encoder.layer.{i}.attention.attention.", "encoder.blocks.{i}."),
      places("beit.encoder.", "encoder."),
      .rename("beit.pooler.layernorm", "pooler.norm"),
      .rename("classifier", "classifier"),
      .with("lm_head.weight", .rename("layernorm", "lm_head_norm")),
      .rename("lm_head", "lm_head"),
    ],
    prefixes: [OptionalPrefix(text: "beit.") { $0 != "BeitModel" }],
    evidence: [
      .name("beit.encoder.layer.{i}.lambda_1"),
      .name("beit.encoder.relative_position_bias.relative_position_bias_table"),
      .name(
        "beit.encoder.layer.{i}.attention.attention.relative_position_bias"
          + ".relative_position_bias_table"),
    ])

  private static func places(_ stored: String, _ path: String) -> [Rule] {
    let bias = "\(stored)relative_position_bias.relative_position_"
    return .tensor("\(bias)bias_table", .weight("\(path)position_bias.weight"))
      + .tensor("\(bias)index", .weight("\(path)position_bias.index"))
  }
}
