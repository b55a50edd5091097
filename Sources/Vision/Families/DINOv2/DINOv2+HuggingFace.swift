import Models

extension Dialect {
  /// A member as Hugging Face transformers stores it (models/dinov2/modeling_dinov2.py,
  /// models/dinov2_with_registers/modeling_dinov2_with_registers.py, 4.x and 5.x).
  static func huggingFace<Member: DINOv2Member>(_: Member.Type) -> Dialect {
    let blocks = "\(Member.name).encoder.layer.{i}."
    return huggingFace(
      Member.self, attention: [Rule].imageAttention, other: "attention.q_proj.weight",
      gated: [
        .tensor("\(blocks)mlp.weights_in.weight", .imageGateUp(".weight")),
        .tensor("\(blocks)mlp.weights_in.bias", .imageGateUp(".bias")),
        .imageBlocks(blocks, ["mlp.weights_out": "feed_forward.down"]),
      ])
  }

  /// The same with the names of transformers 5's modules, which `torch.save(model.state_dict())` writes.
  static func huggingFaceModules<Member: DINOv2Member>(_: Member.Type) -> Dialect {
    huggingFace(
      Member.self, variant: "modules", attention: [Rule].imageAttentionModules,
      other: "attention.attention.query.weight",
      gated: [
        .imageBlocks(
          "\(Member.name).encoder.layer.{i}.",
          [
            "mlp.gate_proj": "feed_forward.gate", "mlp.up_proj": "feed_forward.up",
            "mlp.down_proj": "feed_forward.down",
          ])
      ])
  }

  /// - Parameters:
  ///   - attention: what attention's layers are called.
  ///   - other: a tensor of each block that the other form has, and this one has not.
  ///   - gated: the rules of layers with a gate.
  private static func huggingFace<Member: DINOv2Member>(
    _: Member.Type, variant: String? = nil, attention: ModuleNames, other: String, gated: [[Rule]]
  ) -> Dialect {
    let model = Member.name + "."
    let blocks = "\(model)encoder.layer.{i}."
    let gate = "encoder.blocks.{i}.feed_forward.gate.weight"
    let scale = "\(blocks)layer_scale1.lambda1"
    // What stands here under a module of its own is DINOv3's.
    let embeddings = "embeddings.patch_embeddings."
    let registers = "\(model)embeddings.register_tokens"
    let others = [model, ""].map { "\($0)encoder.layer.0.\(other)" }
    return Dialect(
      name: "huggingface",
      architecture: Member.name,
      variant: variant,
      rules: [
        .huggingFaceImageEncoder(
          model, attention: attention,
          norms: ["norm1": "attention_norm", "norm2": "feed_forward_norm"], maskAxes: 1),
        .imageScales(blocks),
        .without(
          gate,
          .imageBlocks(blocks, ["mlp.fc1": "feed_forward.up", "mlp.fc2": "feed_forward.down"])),
        .with(gate, gated.flatMap(\.self)),
        .rename("classifier", "classifier"),
      ],
      prefixes: [OptionalPrefix(text: model) { $0 != "\(Member.prefix)Model" }],
      evidence: [
        Evidence(
          stored: Member.registers == nil ? scale : registers,
          lacking: others + [Member.registers == nil ? registers : "\(embeddings)weight"])
      ])
  }
}

extension Layout {
  /// The gate, then what it multiplies.
  fileprivate static func imageGateUp(_ ending: String) -> Layout {
    .joined(
      ["gate", "up"].map { .weight("encoder.blocks.{i}.feed_forward.\($0)\(ending)") }, axis: 0)
  }
}
