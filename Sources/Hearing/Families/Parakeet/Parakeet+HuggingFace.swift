import Models

extension Dialect {
  /// Parakeet as Hugging Face transformers stores it (models/parakeet/modeling_parakeet.py, 5.x).
  static func huggingFaceParakeet(_ architecture: String) -> Dialect {
    let model = "encoder."
    return Dialect(
      name: "huggingface",
      architecture: architecture,
      rules: [
        .rename("\(model)subsampling.layers.{i}", "embeddings.convolutions.{i}"),
        .rename("\(model)subsampling.linear", "embeddings.projection"),
        blocks(
          "\(model)layers.{i}.",
          attention: [
            ("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("o_proj", "output"),
            ("relative_k_proj", "position"),
          ], biases: "bias_", statistics: "norm"),
        scores("ctc_head"),
      ],
      prefixes: [OptionalPrefix(text: model) { $0 != "ParakeetEncoder" }],
      unread: [("\(model)layers.{i}.conv.norm.num_batches_tracked", batches)],
      evidence: [Evidence(stored: "\(model)subsampling.linear.weight", isWhole: true)])
  }

  /// What is said of a number that is not read.
  static let batches = "how many batches training has seen"

  /// A convolution over one place that scores tokens.
  static func scores(_ name: String) -> [Rule] {
    .tensor("\(name).weight", .unit(.weight("lm_head.weight"), axis: 2))
      + .tensor("\(name).bias", .weight("lm_head.bias"))
  }

  /// The blocks of both dialects.
  ///
  /// - Parameters:
  ///   - attention: what attention's layers are called.
  ///   - biases: what the names of biases of queries begin with.
  ///   - statistics: what the normalisation behind the convolution is called.
  static func blocks(
    _ block: String, attention: [(stored: String, own: String)], biases: String,
    statistics: String
  ) -> [Rule] {
    let path = "encoder.blocks.{i}."
    var rules: [Rule] = []
    for layer in attention {
      rules += .rename("\(block)self_attn.\(layer.stored)", "\(path)attention.\(layer.own)")
    }
    rules += .tensor(
      "\(block)self_attn.\(biases)u", .weight("\(path)attention.content_bias"))
    rules += .tensor(
      "\(block)self_attn.\(biases)v", .weight("\(path)attention.position_bias"))
    rules += .rename("\(block)norm_self_att", "\(path)attention_norm")
    for number in 1...2 {
      rules += .rename("\(block)norm_feed_forward\(number)", "\(path)feed_forward_\(number)_norm")
      let (stored, own) = ("\(block)feed_forward\(number).", "\(path)feed_forward_\(number).")
      rules += .rename("\(stored)linear1", "\(own)up")
      rules += .rename("\(stored)linear2", "\(own)down")
    }
    rules += .rename("\(block)norm_out", "\(path)norm")
    rules += .rename("\(block)norm_conv", "\(path)convolution.norm")
    let (stored, own) = ("\(block)conv.", "\(path)convolution.")
    for (layer, name) in [("pointwise_conv1", "gate"), ("pointwise_conv2", "output")] {
      rules += .tensor(
        "\(stored)\(layer).weight", .unit(.weight("\(own)\(name).weight"), axis: 2))
      rules += .tensor("\(stored)\(layer).bias", .weight("\(own)\(name).bias"))
    }
    rules += .rename("\(stored)depthwise_conv", "\(own)depthwise")
    rules += .rename("\(stored)\(statistics)", "\(own)statistics")
    rules += .tensor(
      "\(stored)\(statistics).running_mean", .weight("\(own)statistics.mean"))
    return rules
      + .tensor("\(stored)\(statistics).running_var", .weight("\(own)statistics.variance"))
  }
}
