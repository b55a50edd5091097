import Models

extension Dialect {
  /// Moonshine as Hugging Face transformers stores it (models/moonshine/modeling_moonshine.py, 5.x). In one matrix of the
  /// decoder stands what is multiplied by the gate, and behind it the gate.
  static let huggingFaceMoonshine = Dialect(
    name: "huggingface",
    architecture: Moonshine.name,
    rules: [
      .rename("model.decoder.embed_tokens.weight", "embeddings.word.weight"),
      .rename("model.encoder.conv1", "encoder.embeddings.convolutions.0"),
      .rename("model.encoder.conv2", "encoder.embeddings.convolutions.1"),
      .rename("model.encoder.conv3", "encoder.embeddings.convolutions.2"),
      .rename("model.encoder.groupnorm", "encoder.embeddings.norm"),
      attention("encoder", "self_attn", "attention", norm: "input_layernorm"),
      .rename("model.encoder.layers.{i}.mlp.fc1", "encoder.blocks.{i}.feed_forward.up"),
      .rename("model.encoder.layers.{i}.mlp.fc2", "encoder.blocks.{i}.feed_forward.down"),
      .rename(
        "model.encoder.layers.{i}.post_attention_layernorm", "encoder.blocks.{i}.feed_forward_norm"),
      .rename("model.encoder.layer_norm", "encoder.norm"),
      attention("decoder", "self_attn", "attention", norm: "input_layernorm"),
      attention("decoder", "encoder_attn", "cross_attention", norm: "post_attention_layernorm"),
      gated(".weight"), gated(".bias"),
      .rename("model.decoder.layers.{i}.mlp.fc2", "decoder.blocks.{i}.feed_forward.down"),
      .rename("model.decoder.layers.{i}.final_layernorm", "decoder.blocks.{i}.feed_forward_norm"),
      .rename("model.decoder.norm", "decoder.norm"),
      .rename("proj_out.weight", "lm_head.weight"),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 == "MoonshineForConditionalGeneration" }],
    evidence: [.name("model.encoder.groupnorm.weight")])

  private static func gated(_ ending: String) -> [Rule] {
    let path = "decoder.blocks.{i}.feed_forward."
    return .tensor(
      "model.decoder.layers.{i}.mlp.fc1\(ending)",
      .joined([.weight("\(path)up\(ending)"), .weight("\(path)gate\(ending)")], axis: 0))
  }

  private static func attention(
    _ stack: String, _ module: String, _ path: String, norm: String
  ) -> [Rule] {
    let stored = "model.\(stack).layers.{i}."
    let block = "\(stack).blocks.{i}."
    let parts = [
      ("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("o_proj", "output"),
    ]
    return parts.flatMap {
      [Rule].rename("\(stored)\(module).\($0.0)", "\(block)\(path).\($0.1)")
    } + .rename("\(stored)\(norm)", "\(block)\(path)_norm")
  }
}
