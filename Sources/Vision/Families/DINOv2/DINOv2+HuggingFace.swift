import Models

extension Dialect {
  /// A member as Hugging Face transformers stores it (models/dinov2/modeling_dinov2.py,
  /// models/dinov2_with_registers/modeling_dinov2_with_registers.py, 4.x and 5.x).
  static func huggingFace<Member: DINOv2Member>(_: Member.Type) -> Dialect {
    let model = Member.name + "."
    let blocks = "\(model)encoder.layer.{i}."
    let gate = "encoder.blocks.{i}.feed_forward.gate.weight"
    let scale = "\(blocks)layer_scale1.lambda1"
    // What stands here under a module of its own is DINOv3's.
    let embeddings = "embeddings.patch_embeddings."
    let registers = "\(model)embeddings.register_tokens"
    return Dialect(
      name: "huggingface",
      architecture: Member.name,
      rules: [
        .huggingFaceImageEncoder(
          model, norms: ["norm1": "attention_norm", "norm2": "feed_forward_norm"], maskAxes: 1),
        .imageScales(blocks),
        .without(
          gate,
          .imageBlocks(blocks, ["mlp.fc1": "feed_forward.up", "mlp.fc2": "feed_forward.down"])),
        .with(gate, .tensor("\(blocks)mlp.weights_in.weight", .imageGateUp(".weight"))),
        .with(gate, .tensor("\(blocks)mlp.weights_in.bias", .imageGateUp(".bias"))),
        .with(gate, .imageBlocks(blocks, ["mlp.weights_out": "feed_forward.down"])),
        .rename("classifier", "classifier"),
      ],
      prefixes: [OptionalPrefix(text: model) { $0 != "\(Member.prefix)Model" }],
      evidence: [
        Member.registers == nil
          ? .name(scale, without: registers) : .name(registers, without: "\(embeddings)weight")
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
