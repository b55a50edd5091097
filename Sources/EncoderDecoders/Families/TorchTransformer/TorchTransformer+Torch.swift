import Models

extension Dialect {
  /// The names of PyTorch's modules (torch/nn/modules/transformer.py, 2.x): an encoder alone, a decoder, or a layer has no
  /// name before its own.
  static let torchModules = Dialect(
    name: "torch",
    architecture: TorchTransformer.name,
    rules: [
      rules(of: .transformer, "encoder", "encoder.layers.{i}.", "encoder.norm"),
      rules(of: .transformer, "decoder", "decoder.layers.{i}.", "decoder.norm"),
      rules(of: .encoder, "encoder", "layers.{i}.", "norm"),
      rules(of: .decoder, "decoder", "layers.{i}.", "norm"),
      rules(of: .encoderLayer, "encoder", "", nil), rules(of: .decoderLayer, "decoder", "", nil),
    ],
    evidence: [
      .name("encoder.layers.{i}.linear1.weight"), .name("layers.{i}.linear1.weight"),
      .name("linear1.weight"),
    ])

  private static func rules(
    of module: TorchModule, _ stack: String, _ stored: String, _ norm: String?
  ) -> [Rule] {
    let layers = layer(of: stack, stored, "\(stack).blocks.\(module.isLayer ? "0" : "{i}").")
    return .having(
      module.rawValue, layers + (norm.map { .rename($0, "\(stack).norm") } ?? []))
  }

  private static func layer(of stack: String, _ stored: String, _ path: String) -> [Rule] {
    let isEncoder = stack == "encoder"
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
