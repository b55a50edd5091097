import Models
import TensorCore

extension Dialect {
  /// BEiT as timm stores it (timm/models/beit.py), and its authors (microsoft/unilm: beit/modeling_finetune.py,
  /// modeling_pretrain.py): queries, keys and values are one matrix, and keys have no bias.
  static var timmBEiT: Dialect {
    let (block, path) = ("blocks.{i}.", "encoder.blocks.{i}.")
    return Dialect(
      name: "timm",
      architecture: BEiT.name,
      rules: [
        .rename("patch_embed.proj", "embeddings.patch"),
        .tensor("cls_token", .leading("embeddings.class.weight", axes: 1)),
        .tensor("mask_token", .leading("embeddings.mask.weight", axes: 1)),
        .tensor("pos_embed", .leading("embeddings.position.weight", axes: 1)),
        .timmBlocks(block, path, hasBiases: false),
        .tensor("\(block)gamma_1", .weight("\(path)attention_scale.weight")),
        .tensor("\(block)gamma_2", .weight("\(path)feed_forward_scale.weight")),
        timmPlaces("\(block)attn.", path),
        timmPlaces("rel_pos_bias.", "encoder."),
        .rename("fc_norm", "pooler.norm"),
        .without("lm_head.weight", .rename("norm", "encoder.norm")),
        .with("lm_head.weight", .rename("norm", "lm_head_norm")),
        .rename("lm_head", "lm_head"),
        .rename("head", "classifier"),
      ],
      limits: [.fact("epsilon", "\(1e-6)"), .activation("gelu")],
      evidence: [.name("blocks.{i}.attn.q_bias")])
  }

  private static func timmPlaces(_ stored: String, _ path: String) -> [Rule] {
    let bias = "\(stored)relative_position_"
    return .tensor("\(bias)bias_table", .weight("\(path)position_bias.weight"))
      + .tensor("\(bias)index", .weight("\(path)position_bias.index"))
  }
}
