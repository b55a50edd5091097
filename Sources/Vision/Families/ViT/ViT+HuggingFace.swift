import Models

extension Dialect {
  /// A member as Hugging Face transformers stores it (models/vit/modeling_vit.py, models/deit/modeling_deit.py,
  /// 4.x and 5.x).
  static func huggingFace<Member: ViTMember>(_: Member.Type) -> Dialect {
    let model = Member.name + "."
    let mark = Member.classTokens > 1 ? "distillation_token" : "cls_token"
    return Dialect(
      name: "huggingface",
      architecture: Member.name,
      rules: [
        .huggingFaceImageEncoder(
          model,
          norms: ["layernorm_before": "attention_norm", "layernorm_after": "feed_forward_norm"],
          maskAxes: 2),
        .imageBlocks(
          "\(model)encoder.layer.{i}.",
          ["intermediate.dense": "feed_forward.up", "output.dense": "feed_forward.down"]),
        .rename("\(model)pooler.dense", "pooler"),
        .rename("distillation_classifier", "teacher_classifier"),
        .with("teacher_classifier.weight", .rename("cls_classifier", "classifier")),
        .without("teacher_classifier.weight", .rename("classifier", "classifier")),
        .tensor(
          "decoder.0.weight",
          .unit(.unit(.weight("picture_head.weight"), axis: 2), axis: 3)),
        .tensor("decoder.0.bias", .weight("picture_head.bias")),
      ],
      prefixes: [OptionalPrefix(text: model) { $0 != "\(Member.prefix)Model" }],
      evidence: [
        Member.classTokens > 1
          ? .name("\(model)embeddings.\(mark)")
          : .name(
            "\(model)encoder.layer.{i}.layernorm_before.weight",
            without: "\(model)embeddings.distillation_token",
            "\(model)encoder.layer.{i}.lambda_1",
            "\(model)encoder.relative_position_bias.relative_position_bias_table")
      ])
  }
}
