import Models

extension Dialect {
  /// T5 as Mesh TensorFlow names its variables (tensorflow/mesh: mesh_tensorflow/transformer), in an
  /// npz.
  ///
  /// Attention matrices are `[in, out]` without a `/kernel`, and may keep their heads as an axis;
  /// layers are numbered with three digits; relative biases are `[heads, buckets]`, of a single head
  /// `[buckets]`. Early models called their norms `layer_norm`.
  static let meshTF = Dialect(
    name: "mesh-tf",
    architecture: "t5",
    rules: [
      .tensor("shared/embedding", .weight("embeddings.word.weight")),
      block("encoder", 0, attention: "SelfAttention", "attention"),
      meshFeedForward("encoder", 1),
      block("decoder", 0, attention: "SelfAttention", "attention"),
      block("decoder", 1, attention: "EncDecAttention", "cross_attention"),
      meshFeedForward("decoder", 2),
      meshStack("encoder"),
      meshStack("decoder"),
      .tensor("decoder/logits/kernel", .transposed(.weight("lm_head.weight"))),
    ],
    otherEndings: [
      (other: "/layer_norm/scale", usual: "/rms_norm/scale"),
      (other: "/final_layer_norm/scale", usual: "/rms_norm/scale"),
    ],
    limits: [
      // Gin files can set the activation, the epsilon and the number of buckets.
      .activation(
        "relu", "gelu_new", "silu", "sigmoid", "tanh", "linear", making: ["gelu": "gelu_new"]),
      .fact("relative_attention_max_distance", "128"), t5OutputScale,
    ],
    // Flax's classes of transformers have `shared/embedding`, too.
    evidence: [.name("encoder/block_000/layer_000/SelfAttention/q")],
    ownFiles: .tensorFlow("Mesh TensorFlow"))

  private static func meshLayer(_ stack: String, _ layer: Int) -> String {
    "\(stack)/block_{iii}/layer_00\(layer)/"
  }

  private static func block(
    _ stack: String, _ layer: Int, attention module: String, _ path: String
  ) -> [Rule] {
    let stored = meshLayer(stack, layer)
    let canonical = "\(stack).blocks.{i}.\(path)"
    let parts = [("q", "query"), ("k", "key"), ("v", "value"), ("o", "output")]
    return parts.flatMap { short, part -> [Rule] in
      let matrix = Layout.transposed(.weight("\(canonical).\(part).weight"))
      let axis = part == "output" ? 0 : 1
      return .tensor(
        "\(stored)\(module)/\(short)", matrix, .divided(matrix, axis: axis, inner: "head_size"))
    } + .tensor("\(stored)rms_norm/scale", .weight("\(canonical)_norm.weight"))
  }

  private static func meshFeedForward(_ stack: String, _ layer: Int) -> [Rule] {
    let stored = meshLayer(stack, layer)
    func dense(_ module: String, _ part: String) -> [Rule] {
      .tensor(
        "\(stored)DenseReluDense/\(module)/kernel",
        .transposed(.weight("\(stack).blocks.{i}.feed_forward.\(part).weight")))
    }
    let gate = "\(stack).blocks.0.feed_forward.gate.weight"
    return .without(gate, dense("wi", "up"))
      + .with(gate, dense("wi_0", "gate"), dense("wi_1", "up")) + dense("wo", "down")
      + .tensor("\(stored)rms_norm/scale", .weight("\(stack).blocks.{i}.feed_forward_norm.weight"))
  }

  private static func meshStack(_ stack: String) -> [Rule] {
    .tensor("\(stack)/rms_norm/scale", .weight("\(stack).norm.weight"))
      + .tensor(
        "\(stack)/block_000/layer_000/SelfAttention/relative_attention_bias",
        .transposed(.weight("\(stack).relative_bias.weight")),
        .merged(.weight("\(stack).relative_bias.weight"), axis: 0))
  }
}
