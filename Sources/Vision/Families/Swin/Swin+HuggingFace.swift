import Models

extension Dialect {
  /// A member as Hugging Face transformers stores it (models/swin/modeling_swin.py,
  /// models/swinv2/modeling_swinv2.py, 4.x and 5.x).
  static func huggingFace<Member: SwinMember>(_: Member.Type) -> Dialect {
    let model = Member.name + "."
    let block = "\(model)encoder.layers.{i}.blocks.{e}."
    let path = "encoder.stages.{i}.blocks.{e}."
    let own = "\(path)attention."
    let stored = "\(block)attention.self."
    // Evidence is of any stage, and not of any block in it.
    let first = stored.replacing("{e}", with: "0")
    let suffix = Member.isSecond ? "_post_norm" : "_norm"
    let places = Layout.weight("\(own)position_coordinates")
    return Dialect(
      name: "huggingface",
      architecture: Member.name,
      rules: [
        .rename("\(model)embeddings.patch_embeddings.projection", "embeddings.patch"),
        .rename("\(model)embeddings.norm", "embeddings.norm"),
        .tensor(
          "\(model)embeddings.mask_token", .leading("embeddings.mask.weight", axes: 1)),
        .tensor(
          "\(model)embeddings.position_embeddings",
          .leading("embeddings.position.weight", axes: 1)),
        .rename("\(stored)query", "\(own)query"),
        .rename("\(stored)key", "\(own)key"),
        .rename("\(stored)value", "\(own)value"),
        .rename("\(block)attention.output.dense", "\(own)output"),
        .tensor(
          "\(stored)relative_position_bias_table", .weight("\(own)position_bias.weight")),
        .tensor("\(stored)relative_position_index", .weight("\(own)position_index")),
        .tensor("\(stored)relative_coords_table", .unit(places, axis: 0)),
        .tensor(
          "\(stored)logit_scale", .unit(.unit(.weight("\(own)scale"), axis: 1), axis: 2)),
        .rename("\(stored)continuous_position_bias_mlp.0", "\(own)position_hidden"),
        .rename("\(stored)continuous_position_bias_mlp.2", "\(own)position_output"),
        .rename("\(block)layernorm_before", "\(path)attention\(suffix)"),
        .rename("\(block)layernorm_after", "\(path)feed_forward\(suffix)"),
        .rename("\(block)intermediate.dense", "\(path)feed_forward.up"),
        .rename("\(block)output.dense", "\(path)feed_forward.down"),
        .rename(
          "\(model)encoder.layers.{i}.downsample.norm", "encoder.stages.{i}.merging.norm"),
        .rename(
          "\(model)encoder.layers.{i}.downsample.reduction",
          "encoder.stages.{i}.merging.reduction"),
        .rename("\(model)layernorm", "encoder.norm"),
        .rename("classifier", "classifier"),
        .tensor(
          "decoder.0.weight",
          .unit(.unit(.weight("picture_head.weight"), axis: 2), axis: 3)),
        .tensor("decoder.0.bias", .weight("picture_head.bias")),
      ],
      prefixes: [OptionalPrefix(text: model) { $0 != "\(Member.prefix)Model" }],
      evidence: [
        .name(
          Member.isSecond
            ? "\(first)continuous_position_bias_mlp.0.weight"
            : "\(first)relative_position_bias_table")
      ])
  }
}
