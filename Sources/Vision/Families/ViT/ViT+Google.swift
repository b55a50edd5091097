import Models

extension Dialect {
  /// The Vision Transformer as Google's code names it, in an npz (google-research/vision_transformer:
  /// vit_jax/models_vit.py): kernels are `[height, width, in, out]` and `[in, out]`, those of heads `[in, heads, size]`
  /// and `[heads, size, out]`.
  static var googleViT: Dialect {
    let block = "Transformer/encoderblock_{i}/"
    let path = "encoder.blocks.{i}."
    let attention = "\(block)MultiHeadDotProductAttention_1/"
    return Dialect(
      name: "google-vit",
      architecture: PlainViT.name,
      rules: [
        .tensor("cls", .leading("embeddings.class.weight", axes: 1)),
        .tensor(
          "embedding/kernel", .permuted(.weight("embeddings.patch.weight"), axes: [2, 3, 1, 0])),
        .tensor("embedding/bias", .weight("embeddings.patch.bias")),
        .tensor(
          "Transformer/posembed_input/pos_embedding",
          .leading("embeddings.position.weight", axes: 1)),
        norm("\(block)LayerNorm_0", "\(path)attention_norm"),
        heads("\(attention)query", "\(path)attention.query"),
        heads("\(attention)key", "\(path)attention.key"),
        heads("\(attention)value", "\(path)attention.value"),
        .tensor(
          "\(attention)out/kernel",
          .divided(
            .transposed(.weight("\(path)attention.output.weight")), axis: 0, inner: "head_size")),
        .tensor("\(attention)out/bias", .weight("\(path)attention.output.bias")),
        norm("\(block)LayerNorm_2", "\(path)feed_forward_norm"),
        dense("\(block)MlpBlock_3/Dense_0", "\(path)feed_forward.up"),
        dense("\(block)MlpBlock_3/Dense_1", "\(path)feed_forward.down"),
        norm("Transformer/encoder_norm", "encoder.norm"),
        dense("head", "classifier"),
      ],
      // flax's gelu is the tanh form.
      limits: [
        .fact("epsilon", "\(1e-6)"), .activation("gelu_new", making: ["gelu": "gelu_new"]),
      ],
      evidence: [.name("Transformer/posembed_input/pos_embedding")])
  }

  private static func heads(_ stored: String, _ path: String) -> [Rule] {
    .tensor(
      "\(stored)/kernel",
      .divided(.transposed(.weight("\(path).weight")), axis: 1, inner: "head_size"))
      + .tensor("\(stored)/bias", .divided(.weight("\(path).bias"), axis: 0, inner: "head_size"))
  }

  private static func dense(_ stored: String, _ path: String) -> [Rule] {
    .tensor("\(stored)/kernel", .transposed(.weight("\(path).weight")))
      + .tensor("\(stored)/bias", .weight("\(path).bias"))
  }

  private static func norm(_ stored: String, _ path: String) -> [Rule] {
    .tensor("\(stored)/scale", .weight("\(path).weight"))
      + .tensor("\(stored)/bias", .weight("\(path).bias"))
  }
}
