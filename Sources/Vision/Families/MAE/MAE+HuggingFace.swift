import Models

extension Dialect {
  /// MAE as Hugging Face transformers stores it (models/vit_mae/modeling_vit_mae.py, 4.x and 5.x).
  static var huggingFaceMAE: Dialect {
    Dialect(
      name: "huggingface",
      architecture: MAE.name,
      rules: [
        .huggingFaceImageEncoder("vit.", norms: norms, maskAxes: 2),
        .imageBlocks("vit.encoder.layer.{i}.", feedForward),
        .rename("decoder.decoder_embed", "decoder.embeddings.projection"),
        .tensor("decoder.mask_token", .leading("decoder.embeddings.mask.weight", axes: 1)),
        .tensor(
          "decoder.decoder_pos_embed", .leading("decoder.embeddings.position.weight", axes: 1)),
        decoderBlocks([
          "attention.attention.query": "attention.query",
          "attention.attention.key": "attention.key",
          "attention.attention.value": "attention.value",
          "attention.output.dense": "attention.output",
        ]),
        decoderBlocks(norms), decoderBlocks(feedForward),
        .rename("decoder.decoder_norm", "decoder.norm"),
        .rename("decoder.decoder_pred", "decoder.prediction"),
      ],
      prefixes: [OptionalPrefix(text: "vit.") { $0 != "ViTMAEModel" }],
      evidence: [.name("vit.encoder.layer.{i}.layernorm_before.weight")])
  }

  private static let norms: ModuleNames = [
    "layernorm_before": "attention_norm", "layernorm_after": "feed_forward_norm",
  ]

  private static let feedForward: ModuleNames = [
    "intermediate.dense": "feed_forward.up", "output.dense": "feed_forward.down",
  ]

  /// Modules of each of the decoder's blocks, whose names 5.23 changes when it saves them.
  private static func decoderBlocks(_ names: ModuleNames) -> [Rule] {
    names.flatMap { names in
      [".weight", ".bias"].flatMap { ending in
        [Rule].tensor(
          "decoder.decoder_layers.{i}.\(names.key)\(ending)",
          .weight("decoder.blocks.{i}.\(names.value)\(ending)"),
          copies: ["decoder.decoder_encoder.layer.{i}.\(names.key)\(ending)"])
      }
    }
  }
}
