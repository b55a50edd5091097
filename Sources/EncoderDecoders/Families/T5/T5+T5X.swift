import Models

extension Dialect {
  /// T5 as T5X and its Flax modules name their parameters (google-research/t5x:
  /// examples/t5/network.py, layers.py), one array a layer, in an npz.
  ///
  /// Kernels are `[in, out]`; those of attention may also keep their heads as an axis. Relative
  /// biases are `[heads, buckets]`, one a stack, or the same in every layer.
  static let t5x = Dialect(
    name: "t5x",
    architecture: "t5",
    rules: [
      t5xEmbedding, t5xStack("encoder", isScanned: false), t5xStack("decoder", isScanned: false),
      t5xHead,
    ],
    prefixes: [t5xTarget],
    limits: t5xLimits,
    evidence: [.name("encoder/layers_0/attention/query/kernel")],
    ownFiles: Dialect.OwnFiles(program: "T5X", files: "T5X checkpoints", container: "t5x"))

  /// The same with all layers of a stack in one array, along axis 1 (examples/scalable_t5, and
  /// flaxformer with `scan_layers`).
  static let t5xScanned = Dialect(
    name: "t5x",
    architecture: "t5",
    variant: "scanned",
    rules: [
      t5xEmbedding, t5xStack("encoder", isScanned: true), t5xStack("decoder", isScanned: true),
      t5xHead,
    ],
    prefixes: [t5xTarget],
    limits: t5xLimits,
    evidence: [.name("encoder/encoder/attention/query/kernel")],
    ownFiles: Dialect.OwnFiles(program: "T5X", files: "T5X checkpoints", container: "t5x"))

  /// What examples/t5/network.py and layers.py compute. Activations are those of flax.linen, of which gin
  /// files name one.
  private static let t5xLimits: [Limit] = [
    .activation(
      "relu", "relu6", "gelu_new", "silu", "sigmoid", "tanh", "leaky_relu", "hardswish", "linear",
      making: ["gelu": "gelu_new"]),
    .fact("epsilon", "\(1e-6)"), .fact("relative_attention_max_distance", "128"),
    .of(T5.self, "relative_attention_num_buckets") {
      $0.buckets == 32 ? nil : ("\($0.buckets) in the config", "32")
    },
    t5OutputScale,
  ]

  /// Google's code scales the decoder's states where the head is the embedding, and only there.
  static let t5OutputScale = Limit("scale_decoder_outputs") { graph in
    guard let model = graph.architecture as? T5, model.task == .conditionalGeneration else {
      return nil
    }
    let isTied = graph.ties["lm_head.weight"] != nil
    guard model.scalesOutputs != isTied else { return nil }
    let reason = isTied ? "true for a head that is the embedding" : "false for a head of its own"
    return ("\(model.scalesOutputs) in the config", reason)
  }

  private static let t5xTarget = OptionalPrefix(
    text: "target/", isWritten: { _ in true }, isInRules: false)

  private static let t5xEmbedding: [Rule] =
    .tensor(
      "token_embedder/embedding", .weight("embeddings.word.weight"),
      copies: ["encoder/token_embedder/embedding", "decoder/token_embedder/embedding"])

  private static let t5xHead: [Rule] =
    .tensor("decoder/logits_dense/kernel", .transposed(.weight("lm_head.weight")))

  private static func t5xStack(_ stack: String, isScanned: Bool) -> [Rule] {
    let table = T5XStack(name: stack, isScanned: isScanned)
    let own = stack == "encoder" ? "attention" : "self_attention"
    let ownNorm = stack == "encoder" ? "pre_attention" : "pre_self_attention"
    return table.attention(own, "attention") + table.norm(ownNorm, "attention_norm")
      + table.attention("encoder_decoder_attention", "cross_attention")
      + table.norm("pre_cross_attention", "cross_attention_norm")
      + table.norm("pre_mlp", "feed_forward_norm") + table.feedForward
      + .tensor("\(stack)/\(stack)_norm/scale", .weight("\(stack).norm.weight"))
      + table.relativeBias
  }
}

/// The rules of the layers of one stack.
private struct T5XStack {
  let name: String
  let isScanned: Bool

  private var stored: String { isScanned ? "\(name)/\(name)/" : "\(name)/layers_{i}/" }
  private var path: String { "\(name).blocks.{i}." }

  /// One layer's array, or those of all layers along axis 1.
  private func layers(_ layout: Layout) -> Layout {
    isScanned ? .stacked(layout, axis: 1) : layout
  }

  func attention(_ module: String, _ path: String) -> [Rule] {
    let input = ["query", "key", "value"].flatMap { part -> [Rule] in
      let kernel = Layout.transposed(.weight("\(self.path)\(path).\(part).weight"))
      return .tensor(
        "\(stored)\(module)/\(part)/kernel", layers(kernel),
        layers(.divided(kernel, axis: 1, inner: "head_size")))
    }
    let kernel = Layout.transposed(.weight("\(self.path)\(path).output.weight"))
    let divided = Layout.divided(kernel, axis: 0, inner: "head_size")
    return input + .tensor("\(stored)\(module)/out/kernel", layers(kernel), layers(divided))
  }

  func norm(_ module: String, _ path: String) -> [Rule] {
    .tensor("\(stored)\(module)_layer_norm/scale", layers(.weight("\(self.path)\(path).weight")))
  }

  /// One table a stack, or the same in every layer.
  var relativeBias: [Rule] {
    let table = Layout.transposed(.weight("\(name).relative_bias.weight"))
    let ofStack = "\(name)/relpos_bias/rel_embedding"
    let ofLayers = stored + "relpos_bias/rel_embedding"
    return isScanned
      ? .tensor(ofLayers, .repeated(table, axis: 1), table, copies: [ofStack])
      : .tensor(ofStack, table, copies: [ofLayers])
  }

  /// `wi`, or for gated models `wi_0` (activated) and `wi_1`; `wo`.
  var feedForward: [Rule] {
    func dense(_ module: String, _ part: String) -> [Rule] {
      .tensor(
        "\(stored)mlp/\(module)/kernel",
        layers(.transposed(.weight("\(path)feed_forward.\(part).weight"))))
    }
    let gate = "\(name).blocks.0.feed_forward.gate.weight"
    return .without(gate, dense("wi", "up"))
      + .with(gate, dense("wi_0", "gate"), dense("wi_1", "up")) + dense("wo", "down")
  }
}
