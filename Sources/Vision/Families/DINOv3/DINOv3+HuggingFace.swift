import Models

extension Dialect {
  /// DINOv3 as Hugging Face transformers stores it (models/dinov3_vit/modeling_dinov3_vit.py, 5.x): the encoder is
  /// `model` in its code, which files do not say.
  static var huggingFaceDINOv3: Dialect {
    let blocks = "model.layer.{i}."
    let patch = "embeddings.patch_embeddings"
    return Dialect(
      name: "huggingface",
      architecture: DINOv3.name,
      rules: [
        .rename(patch, "embeddings.patch"),
        .tensor("embeddings.cls_token", .leading("embeddings.class.weight", axes: 1)),
        .tensor("embeddings.register_tokens", .leading("embeddings.registers.weight", axes: 1)),
        .tensor("embeddings.mask_token", .leading("embeddings.mask.weight", axes: 1)),
        .imageBlocks(
          blocks,
          [
            "norm1": "attention_norm", "norm2": "feed_forward_norm",
            "attention.q_proj": "attention.query", "attention.k_proj": "attention.key",
            "attention.v_proj": "attention.value", "attention.o_proj": "attention.output",
            "mlp.gate_proj": "feed_forward.gate", "mlp.up_proj": "feed_forward.up",
            "mlp.down_proj": "feed_forward.down",
          ]),
        .imageScales(blocks),
        .rename("norm", "encoder.norm"),
      ],
      prefixes: [OptionalPrefix(text: "model.") { _ in false }],
      evidence: [.name("\(patch).weight")])
  }
}
