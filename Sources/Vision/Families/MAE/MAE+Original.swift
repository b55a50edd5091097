import Models

extension Dialect {
  /// MAE as its authors' code stores it (facebookresearch/mae: models_mae.py), with its decoder. Without it the names are those
  /// of timm's ViT, which says no less.
  static var originalMAE: Dialect {
    Dialect(
      name: "mae",
      architecture: MAE.name,
      rules: [
        .with(
          "decoder.prediction.weight",
          .rename("patch_embed.proj", "embeddings.patch"),
          .tensor("cls_token", .leading("embeddings.class.weight", axes: 1)),
          .tensor("pos_embed", .leading("embeddings.position.weight", axes: 1)),
          .timmBlocks("blocks.{i}.", "encoder.blocks.{i}."),
          .rename("norm", "encoder.norm"),
          .rename("decoder_embed", "decoder.embeddings.projection"),
          .tensor("mask_token", .leading("decoder.embeddings.mask.weight", axes: 1)),
          .tensor("decoder_pos_embed", .leading("decoder.embeddings.position.weight", axes: 1)),
          .timmBlocks("decoder_blocks.{i}.", "decoder.blocks.{i}."),
          .rename("decoder_norm", "decoder.norm"),
          .rename("decoder_pred", "decoder.prediction"))
      ],
      limits: [.fact("epsilon", "\(1e-6)"), .activation("gelu")],
      evidence: [.name("decoder_pos_embed")])
  }
}
