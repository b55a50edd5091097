import Models

extension Dialect {
  /// XLNet as the original TensorFlow code names its variables (zihangdai/xlnet: modeling.py), with `untie_r`.
  ///
  /// Matrices of heads are `[in, heads, size]`, that of the output `[out, heads, size]`, other kernels `[in, out]`. Biases
  /// of scores, and kinds, are stored for all layers at once. The matrix that scores words is that of the words, and not
  /// stored. What stands on the model for a task is named after the task, and has no place.
  static let zihangdaiXLNet = Dialect(
    name: "zihangdai-xlnet",
    architecture: XLNet.name,
    rules: [
      .rename(model + "word_embedding/lookup_table", "embeddings.word.weight"),
      .tensor(
        model + "mask_emb/mask_emb",
        .unit(.unit(.weight("embeddings.unknown.weight"), axis: 0), axis: 0)),
      kernel("q", "query"), kernel("k", "key"), kernel("v", "value"), kernel("r", "position"),
      .tensor(
        layer + "rel_attn/o/kernel",
        .divided(.weight(blocks + "attention.output.weight"), axis: 1, inner: "head_size")),
      ofAllLayers("r_w_bias", "content_bias"), ofAllLayers("r_r_bias", "position_bias"),
      ofAllLayers("r_s_bias", "kind_bias"), ofAllLayers("seg_embed", "kinds"),
      .tensorFlowNorm(layer + "rel_attn/LayerNorm", blocks + "attention_norm"),
      .tensorFlowLinear(layer + "ff/layer_1", blocks + "feed_forward.up"),
      .tensorFlowLinear(layer + "ff/layer_2", blocks + "feed_forward.down"),
      .tensorFlowNorm(layer + "ff/LayerNorm", blocks + "feed_forward_norm"),
      .rename("model/lm_loss/bias", "lm_head.bias"),
    ],
    nativeConfig: .renamed(
      "xlnet_config.json",
      [
        (native: "d_head", usual: "d_head"), (native: "d_inner", usual: "d_inner"),
        (native: "d_model", usual: "d_model"), (native: "ff_activation", usual: "ff_activation"),
        (native: "n_head", usual: "n_head"), (native: "n_layer", usual: "n_layer"),
        (native: "n_token", usual: "vocab_size"), (native: "untie_r", usual: "untie_r"),
      ],
      values: ["ff_activation": ["gelu_new": "gelu", "gelu_pytorch_tanh": "gelu"]]),
    limits: [
      .activation("gelu_new", "relu", making: ["gelu": "gelu_new"]),
      .fact("epsilon", "\(1e-12)"),
      .of(XLNet.self, "attn_type") {
        $0.direction == .both ? nil : ("\($0.direction.rawValue) in the config", "bi")
      },
    ],
    evidence: [.name(model + "word_embedding/lookup_table")],
    ownFiles: .tensorFlow("zihangdai/xlnet"))

  private static let model = "model/transformer/"
  private static let layer = "model/transformer/layer_{i}/"
  private static let blocks = "encoder.blocks.{i}."

  private static func kernel(_ stored: String, _ path: String) -> [Rule] {
    .tensor(
      "\(layer)rel_attn/\(stored)/kernel",
      .divided(
        .transposed(.weight("\(blocks)attention.\(path).weight")), axis: 1, inner: "head_size"))
  }

  private static func ofAllLayers(_ stored: String, _ path: String) -> [Rule] {
    .tensor(model + stored, .stacked(.weight("\(blocks)attention.\(path)"), axis: 0))
  }
}
