import Models

extension Dialect {
  /// The names of PyTorch's modules (torch/nn/modules/transformer.py, 2.x): an encoder alone, a decoder, or a layer has no
  /// name before its own.
  static let torchModules = Dialect(
    name: "torch",
    architecture: TorchTransformer.name,
    rules: [
      .lacking(oneLayer, stack("encoder", ".layers.{i}", "{i}")),
      .lacking(oneLayer, stack("decoder", ".layers.{i}", "{i}")),
      .having(oneLayer, stack("encoder", "", "0")), .having(oneLayer, stack("decoder", "", "0")),
      .rename("encoder.norm", "encoder.norm"), .rename("decoder.norm", "decoder.norm"),
    ],
    prefixes: ["encoder.", "decoder."].map { prefix in
      OptionalPrefix(text: prefix) { $0 == TorchModule.transformer.rawValue }
    },
    evidence: [
      .name("encoder.layers.{i}.linear1.weight"), .name("decoder.layers.{i}.linear1.weight"),
      .name("linear1.weight", without: "layers.0.linear1.weight"),
    ])

  private static let oneLayer = "one_layer"

  private static func stack(_ name: String, _ stored: String, _ layer: String) -> [Rule] {
    let (stored, path) = ("\(name)\(stored).", "\(name).blocks.\(layer).")
    let isEncoder = name == "encoder"
    return attention(stored + "self_attn", path + "attention")
      + .rename(stored + "norm1", path + "attention_norm")
      + (isEncoder
        ? []
        : attention(stored + "multihead_attn", path + "cross_attention")
          + .rename(stored + "norm2", path + "cross_attention_norm"))
      + .rename(stored + (isEncoder ? "norm2" : "norm3"), path + "feed_forward_norm")
      + .rename(stored + "linear1", path + "feed_forward.up")
      + .rename(stored + "linear2", path + "feed_forward.down")
  }

  private static func attention(_ stored: String, _ path: String) -> [Rule] {
    func parts(_ ending: String) -> Layout {
      .joined(["query", "key", "value"].map { .weight("\(path).\($0)\(ending)") }, axis: 0)
    }
    return .tensor(stored + ".in_proj_weight", parts(".weight"))
      + .tensor(stored + ".in_proj_bias", parts(".bias"))
      + .rename(stored + ".out_proj", path + ".output")
  }
}
