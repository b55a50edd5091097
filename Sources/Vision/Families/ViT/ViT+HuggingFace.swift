import Models

extension Dialect {
  /// A member as Hugging Face transformers stores it (models/vit/modeling_vit.py, models/deit/modeling_deit.py,
  /// 4.x and 5.x).
  static func huggingFace<Member: ViTMember>(_: Member.Type) -> Dialect {
    huggingFace(
      Member.self, blocks: "encoder.layer", otherBlocks: "layers",
      feedForward: ["intermediate.dense": "feed_forward.up", "output.dense": "feed_forward.down"])
  }

  /// The same with the names of transformers 5's modules, which `torch.save(model.state_dict())` writes.
  static func huggingFaceModules<Member: ViTMember>(_: Member.Type) -> Dialect {
    huggingFace(
      Member.self, variant: "modules", blocks: "layers", otherBlocks: "encoder.layer",
      attention: [Rule].imageAttentionModules,
      feedForward: ["mlp.fc1": "feed_forward.up", "mlp.fc2": "feed_forward.down"])
  }

  private static func huggingFace<Member: ViTMember>(
    _: Member.Type, variant: String? = nil, blocks: String, otherBlocks: String,
    attention: ModuleNames = [Rule].imageAttention, feedForward: ModuleNames
  ) -> Dialect {
    let model = Member.name + "."
    let norm = "layernorm_before.weight"
    let token = "\(model)embeddings.distillation_token"
    let other = "\(otherBlocks).0.\(norm)"
    let blocks = "\(blocks).{i}."
    return Dialect(
      name: "huggingface",
      architecture: Member.name,
      variant: variant,
      rules: [
        .huggingFaceImageEncoder(
          model, blocks: blocks, attention: attention,
          norms: ["layernorm_before": "attention_norm", "layernorm_after": "feed_forward_norm"],
          maskAxes: 2),
        .imageBlocks(model + blocks, feedForward),
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
          ? .name(token, without: other, model + other)
          : .name(
            model + blocks + norm, without: token, "encoder.layer.0.lambda_1",
            "encoder.relative_position_bias.relative_position_bias_table")
      ])
  }
}
