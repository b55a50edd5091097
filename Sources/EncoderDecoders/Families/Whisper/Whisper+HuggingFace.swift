import Models

extension Dialect {
  /// Whisper as Hugging Face transformers stores it (models/whisper/modeling_whisper.py, 4.x and 5.x).
  static let huggingFaceWhisper = Dialect(
    name: "huggingface",
    architecture: Whisper.name,
    rules: [
      .rename("model.decoder.embed_tokens.weight", "embeddings.word.weight"),
      .rename("model.encoder.conv1", "encoder.embeddings.first"),
      .rename("model.encoder.conv2", "encoder.embeddings.second"),
      huggingFaceStack("encoder"), huggingFaceStack("decoder"),
      huggingFaceAttention("decoder", "encoder_attn", "cross_attention"),
      .rename("proj_out.weight", "lm_head.weight"),
      .tensor("layer_weights", .weight("layer_shares.weight")),
      .rename("projector", "projector"), .rename("classifier", "classifier"),
    ],
    prefixes: [OptionalPrefix(text: "model.") { $0 == "WhisperForConditionalGeneration" }],
    evidence: [.name("model.encoder.conv1.weight", without: "encoder.positional_embedding")])

  private static func huggingFaceStack(_ name: String) -> [Rule] {
    let block = "model.\(name).layers.{i}."
    let path = "\(name).blocks.{i}."
    return .rename("model.\(name).embed_positions", "\(name).embeddings.position")
      + huggingFaceAttention(name, "self_attn", "attention")
      + .rename("\(block)fc1", "\(path)feed_forward.up")
      + .rename("\(block)fc2", "\(path)feed_forward.down")
      + .rename("\(block)final_layer_norm", "\(path)feed_forward_norm")
      + .rename("model.\(name).layer_norm", "\(name).norm")
  }

  private static func huggingFaceAttention(
    _ stack: String, _ module: String, _ path: String
  ) -> [Rule] {
    let stored = "model.\(stack).layers.{i}.\(module)"
    let path = "\(stack).blocks.{i}.\(path)"
    let parts = [
      ("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "output"),
    ]
    return parts.flatMap { [Rule].rename("\(stored).\($0.0)", "\(path).\($0.1)") }
      + .rename("\(stored)_layer_norm", "\(path)_norm")
  }
}
