import Models

extension Dialect {
  /// A member as Hugging Face transformers stores it (models/wav2vec2/modeling_wav2vec2.py and its kin, 4.x and 5.x). The
  /// kernels of the convolution that adds positions lie there as directions and lengths.
  static func huggingFace<Member: Wav2Vec2Member>(_: Member.Type) -> Dialect {
    let model = Member.base + "."
    let encoder = "\(model)encoder."
    let block = "\(encoder)layers.{i}."
    return Dialect(
      name: "huggingface",
      architecture: Member.name,
      rules: [
        .rename(
          "\(model)feature_extractor.conv_layers.{i}.conv",
          "embeddings.convolutions.{i}.convolution"),
        .rename(
          "\(model)feature_extractor.conv_layers.{i}.layer_norm", "embeddings.convolutions.{i}.norm"
        ),
        .rename("\(model)feature_projection.layer_norm", "embeddings.norm"),
        .rename("\(model)feature_projection.projection", "embeddings.projection"),
        .tensor("\(model)masked_spec_embed", .weight("embeddings.mask.weight")),
        .rename("\(encoder)pos_conv_embed.conv", "encoder.position"),
        .rename("\(encoder)layer_norm", "encoder.norm"),
        .tensor("\(encoder)embed_positions.inv_freq", .weight("encoder.rotary.frequencies")),
        Member.isConformer ? conformer(block) : transformer(block),
        gates(encoder),
        .rename("lm_head", "lm_head"),
        .tensor("layer_weights", .weight("layer_shares.weight")),
        .rename("projector", "projector"), .rename("classifier", "classifier"),
      ],
      prefixes: [OptionalPrefix(text: model) { $0 != "\(Member.prefix)Model" }],
      unread: Member.isConformer
        ? [
          (
            "\(block)conv_module.batch_norm.num_batches_tracked",
            "how many batches training has seen"
          )
        ] : [],
      evidence: [
        Evidence(
          stored: "\(model)feature_extractor.conv_layers.0.conv.weight", isWhole: true)
      ])
  }

  private static func transformer(_ block: String) -> [Rule] {
    let path = "encoder.blocks.{i}."
    let parts = [
      ("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "output"),
    ]
    return parts.flatMap {
      [Rule].rename("\(block)attention.\($0.0)", "\(path)attention.\($0.1)")
    }
      + .rename("\(block)layer_norm", "\(path)attention_norm")
      + .rename("\(block)feed_forward.intermediate_dense", "\(path)feed_forward.up")
      + .rename("\(block)feed_forward.output_dense", "\(path)feed_forward.down")
      + .rename("\(block)final_layer_norm", "\(path)feed_forward_norm")
  }

  /// What makes more or less of biases for distances; the first block has these.
  private static func gates(_ encoder: String) -> [Rule] {
    let (block, path) = ("\(encoder)layers.{i}.attention.", "encoder.blocks.{i}.attention.")
    return .tensor(
      "\(encoder)layers.0.attention.rel_attn_embed.weight", .weight("encoder.distances.weight"))
      + ["weight", "bias"].flatMap { ending in
        [Rule].tensor(
          "\(block)gru_rel_pos_linear.\(ending)",
          .joined((1...2).map { .weight("\(path)gate_\($0).\(ending)") }, axis: 0))
      }
      + .tensor(
        "\(block)gru_rel_pos_const",
        .unit(.unit(.unit(.weight("\(path)gate_scale"), axis: 0), axis: 2), axis: 3))
  }

  /// Blocks with convolutions.
  static func conformer(_ block: String) -> [Rule] {
    let path = "encoder.blocks.{i}."
    var rules: [Rule] = []
    for (stored, own) in [
      ("linear_q", "query"), ("linear_k", "key"), ("linear_v", "value"),
      ("linear_out", "output"), ("linear_pos", "position"),
    ] {
      rules += .rename("\(block)self_attn.\(stored)", "\(path)attention.\(own)")
    }
    rules += .tensor(
      "\(block)self_attn.pos_bias_u", .weight("\(path)attention.content_bias"))
    rules += .tensor(
      "\(block)self_attn.pos_bias_v", .weight("\(path)attention.position_bias"))
    rules += .rename("\(block)self_attn_layer_norm", "\(path)attention_norm")
    for number in 1...2 {
      rules += .rename("\(block)ffn\(number)_layer_norm", "\(path)feed_forward_\(number)_norm")
      rules += .rename(
        "\(block)ffn\(number).intermediate_dense", "\(path)feed_forward_\(number).up")
      rules += .rename("\(block)ffn\(number).output_dense", "\(path)feed_forward_\(number).down")
    }
    rules += .rename("\(block)final_layer_norm", "\(path)norm")
    let (stored, own) = ("\(block)conv_module.", "\(path)convolution.")
    rules += .rename("\(stored)layer_norm", "\(own)norm")
    for (layer, name) in [("pointwise_conv1", "gate"), ("pointwise_conv2", "output")] {
      rules += .tensor(
        "\(stored)\(layer).weight", .unit(.weight("\(own)\(name).weight"), axis: 2))
    }
    rules += .rename("\(stored)depthwise_conv", "\(own)depthwise")
    rules += .rename("\(stored)depthwise_layer_norm", "\(own)inner_norm")
    rules += .rename("\(block)self_attn.distance_embedding", "\(path)attention.distances")
    rules += .rename("\(stored)batch_norm", "\(own)statistics")
    rules += .tensor(
      "\(stored)batch_norm.running_mean", .weight("\(own)statistics.mean"))
    return rules
      + .tensor("\(stored)batch_norm.running_var", .weight("\(own)statistics.variance"))
  }
}
