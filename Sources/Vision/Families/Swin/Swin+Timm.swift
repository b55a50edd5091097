import Models
import TensorCore

extension Dialect {
  /// A member as timm stores it (timm/models/swin_transformer.py, swin_transformer_v2.py): patches are merged where a
  /// stage begins, and queries, keys and values are one matrix.
  static func timm<Member: SwinMember>(_ member: Member.Type) -> Dialect {
    timm(member, merging: "layers.{i+1}.downsample", head: "head.fc", isOriginal: false)
  }

  /// The same as its authors' code stores it (microsoft/Swin-Transformer: models/swin_transformer.py,
  /// swin_transformer_v2.py): patches are merged where a stage ends.
  static func authors<Member: SwinMember>(_ member: Member.Type) -> Dialect {
    timm(member, merging: "layers.{i}.downsample", head: "head", isOriginal: true)
  }

  private static func timm<Member: SwinMember>(
    _: Member.Type, merging: String, head: String, isOriginal: Bool
  ) -> Dialect {
    let (block, path) = ("layers.{i}.blocks.{e}.", "encoder.stages.{i}.blocks.{e}.")
    let (stored, own) = ("\(block)attn.", "\(path)attention.")
    let places = Layout.weight("\(own)position_coordinates")
    let (merged, positions) = ("layers.0.downsample.reduction.weight", "absolute_pos_embed")
    let (table, network) = (
      "attn.relative_position_bias_table", "attn.cpb_mlp.0.weight"
    )
    let (sign, other) = Member.isSecond ? (network, table) : (table, network)
    return Dialect(
      name: "timm", architecture: Member.name, variant: isOriginal ? "original" : nil,
      rules: [
        .rename("patch_embed.proj", "embeddings.patch"),
        .rename("patch_embed.norm", "embeddings.norm"),
        isOriginal
          ? .tensor(positions, .leading("embeddings.position.weight", axes: 1)) : [],
        .timmBlocks(
          block, path, suffix: Member.isSecond ? "_post_norm" : "_norm",
          hasBiases: !Member.isSecond),
        .tensor("\(stored)relative_position_bias_table", .weight("\(own)position_bias.weight")),
        .tensor("\(stored)relative_position_index", .weight("\(own)position_index")),
        .tensor("\(stored)relative_coords_table", .unit(places, axis: 0)),
        .tensor(
          "\(stored)logit_scale", .unit(.unit(.weight("\(own)scale"), axis: 1), axis: 2)),
        .rename("\(stored)cpb_mlp.0", "\(own)position_hidden"),
        .rename("\(stored)cpb_mlp.2", "\(own)position_output"),
        .rename("\(merging).norm", "encoder.stages.{i}.merging.norm"),
        .rename("\(merging).reduction", "encoder.stages.{i}.merging.reduction"),
        .rename("norm", "encoder.norm"),
        .rename(head, "classifier"),
      ],
      unread: [
        (
          stored: "\(block)attn_mask".replacing("{e}", with: "{i}"),
          reason: "a mask of windows, which is computed"
        )
      ],
      nativeConfig: Member.isSecond || isOriginal ? nil : .timmSwin,
      limits: [
        .fact("epsilon", "\(1e-5)"), .activation("gelu"),
        // timm fills shifted pictures up, transformers shifts those that it has filled up; the authors do neither.
        .of(Swin<Member>.self, "window_size") { model in
          let isBroken = model.form.levels.contains { level in
            (level.isShifted || isOriginal)
              && !(level.rows.isMultiple(of: level.window)
                && level.columns.isMultiple(of: level.window))
          }
          return isBroken
            ? ("no divisor of a stage's rows and columns", "one, or fills up otherwise") : nil
        },
      ],
      evidence: isOriginal
        ? [merged, positions].map { .name($0, without: "layers.0.blocks.0.\(other)") }
        : [.name("layers.{i}.blocks.0.\(sign)", without: merged, positions)])
  }
}

extension NativeConfig {
  /// timm's config.json of the first version: what the weights do not show is the picture's size.
  fileprivate static var timmSwin: NativeConfig {
    NativeConfig(
      fileName: "config.json",
      recognizes: { $0["model_type"] == nil && $0["architecture"]?.string != nil },
      usual: { config, table throws(CheckpointError) in
        guard let input = config["pretrained_cfg"]?["input_size"]?.elements?.map(\.int),
          input.count == 3, let height = input[1], let width = input[2]
        else {
          throw CheckpointError(
            .malformed("config: pretrained_cfg.input_size must be the channels, height and width"))
        }
        func shape(_ name: String, _ count: Int) throws(CheckpointError) -> [Int] {
          guard let shape = table[TensorName(name)]?.shape, shape.count == count else {
            throw CheckpointError(
              .malformed("\(name) is missing, or not of \(count) axes: it shows the model's sizes"))
          }
          return shape
        }
        let patch = try shape("patch_embed.proj.weight", 4)
        var (depths, heads, places): ([Int], [Int], Int) = ([], [], 0)
        for stage in 0..<32 where table[TensorName("layers.\(stage).blocks.0.norm1.weight")] != nil
        {
          let tensors = table.names(matching: "layers.\(stage).blocks.", ".norm1.weight")
          depths.append(tensors)
          let bias = try shape(
            "layers.\(stage).blocks.0.attn.relative_position_bias_table", 2)
          heads.append(bias[1])
          places = bias[0]
        }
        let side = Int(Double(places).squareRoot())
        let hidden = try shape("layers.0.blocks.0.mlp.fc1.weight", 2)[0]
        guard side * side == places, side % 2 == 1 else {
          throw CheckpointError(
            .unsupported("relative_position_bias_table has \(places) places, which are no square"))
        }
        let labels = table["head.fc.weight"]?.shape.first
        return .object(
          [
            .init("model_type", .string(FirstSwin.name)),
            .init(
              "architectures",
              [.string(FirstSwin.prefix + (labels == nil ? "Model" : "ForImageClassification"))]),
            .init("image_size", [.number(height), .number(width)]),
            .init("patch_size", .number(patch[2])), .init("num_channels", .number(patch[1])),
            .init("embed_dim", .number(patch[0])),
            .init("depths", .array(depths.map { .number($0) })),
            .init("num_heads", .array(heads.map { .number($0) })),
            .init("window_size", .number((side + 1) / 2)),
            .init("mlp_ratio", .double(Double(hidden) / Double(max(1, patch[0])))),
            .init(
              "qkv_bias", .bool(table["layers.0.blocks.0.attn.qkv.bias"] != nil)),
            .init("hidden_act", "gelu"), .init("layer_norm_eps", .double(1e-5)),
          ] + (labels.map { [.init("num_labels", .number($0))] } ?? []))
      })
  }
}
