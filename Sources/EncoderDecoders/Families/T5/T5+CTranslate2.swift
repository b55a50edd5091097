import Models
import TensorCore

extension Dialect {
  /// T5 as CTranslate2's converter of transformers' models writes it (OpenNMT/CTranslate2:
  /// python/ctranslate2/converters/transformers.py, specs/attention_spec.py, 4.8). A file does not tell mT5 from T5.
  ///
  /// The first layer's biases for distances have a name in each layer of a stack.
  static let ctranslate2T5 = Dialect(
    name: "ctranslate2",
    architecture: T5.name,
    rules: [
      .tensor(
        "decoder/embeddings/weight", .weight("embeddings.word.weight"),
        copies: ["encoder/embeddings_0/weight"], writesCopies: true),
      .tensor("decoder/projection/weight", .weight("lm_head.weight"), writesTie: .always),
      .ctranslate2Stack("encoder"), .ctranslate2Stack("decoder"), .ctranslate2CrossAttention(),
      ctranslate2Bias("encoder"), ctranslate2Bias("decoder"),
    ],
    unread: ctranslate2Settings(of: "encoder", "decoder")
      + [
        "encoder/layer_{i}/self_attention/relative_attention_max_distance",
        "decoder/layer_{i}/self_attention/relative_attention_max_distance",
        "encoder/layer_{i}/self_attention/queries_scale",
        "decoder/layer_{i}/self_attention/queries_scale",
        "decoder/layer_{i}/attention/queries_scale", "decoder/scale_outputs",
      ].map { ($0, "a setting of CTranslate2") },
    nativeConfig: .ctranslate2(
      isMember: { $0.isT5 },
      members: { settings throws(CheckpointError) in try settings.t5 }),
    limits: [
      .of(T5.self, "the head") {
        $0.task == .conditionalGeneration ? nil : ("another one in the config", "always words")
      }
    ],
    evidence: [.name("encoder/layer_0/self_attention/relative_attention_bias")],
    ownFiles: .ctranslate2)

  private static func ctranslate2Bias(_ stack: String) -> [Rule] {
    let name = "/self_attention/relative_attention_bias"
    return .tensor(
      "\(stack)/layer_0\(name)", .weight("\(stack).relative_bias.weight"),
      copies: ["\(stack)/layer_{i}\(name)"], writesCopies: true)
  }
}

extension CTranslate2Settings {
  private static let bias = "/layer_0/self_attention/relative_attention_bias"

  /// Whether the model has what this one has: two stacks with root-mean-square normalisations before the layers, and biases
  /// for distances that all layers of a stack have.
  fileprivate var isT5: Bool {
    ["encoder", "decoder"].allSatisfy { stack in
      has(stack + Self.bias) && !has("\(stack)/layer_norm/beta") && number("\(stack)/pre_norm") == 1
        && !has("\(stack)/position_encodings/encodings")
        && (0..<layers(of: stack)).allSatisfy {
          let other = "\(stack)/layer_\($0)/self_attention/relative_attention_bias"
          return (try? areSame(stack + Self.bias, other)) ?? false
        }
    }
  }

  /// The config that transformers has for the model. Numbers of special tokens are those that all T5s have.
  fileprivate var t5: [JSONValue.Member] {
    get throws(CheckpointError) {
      let words = try shape("decoder/embeddings/weight", rank: 2)
      let heads = try required("encoder/num_heads")
      try require("decoder/num_heads", heads)
      let rows = try shape("encoder/layer_0/self_attention/linear_0/weight", rank: 2)[0]
      let network = "encoder/layer_0/ffn/linear_0"
      let isGated = has(network + "_noact/weight")
      let activation = try activation(of: "encoder", "decoder")
      let distance = "self_attention/relative_attention_max_distance"
      let reach = try required("encoder/layer_0/" + distance)
      for stack in ["encoder", "decoder"] {
        for name in ["alibi", "multi_query_attention", "scale_embeddings"] {
          try require("\(stack)/\(name)", 0)
        }
        _ = try inLayers(of: stack, distance)
        try require("\(stack)/layer_0/\(distance)", reach)
        try requireUnscaled(stack, "self_attention/queries_scale")
      }
      try require("decoder/start_from_zero_embedding", 0)
      try requireUnscaled("decoder", "attention/queries_scale")
      return [
        .init("model_type", .string(T5.name)),
        .init("architectures", [.string(T5Head.conditionalGeneration.className("T5"))]),
        .init("vocab_size", .number(words[0])), .init("d_model", .number(words[1])),
        .init("d_kv", .number(Int(exactly: (Double(rows / 3) / heads).rounded(.down)) ?? 0)),
        .init("num_heads", try count("encoder/num_heads")),
        .init("d_ff", .number(try shape(network + "/weight", rank: 2)[0])),
        .init("num_layers", .number(layers(of: "encoder"))),
        .init("num_decoder_layers", .number(layers(of: "decoder"))),
        .init(
          "relative_attention_num_buckets",
          .number(try shape("encoder" + Self.bias, rank: 2)[0])),
        .init("relative_attention_max_distance", .number(Int(exactly: reach) ?? 0)),
        .init("feed_forward_proj", .string(Self.projection(activation.string ?? "", isGated))),
        .init("dense_act_fn", activation), .init("is_gated_act", .bool(isGated)),
        .init(
          "layer_norm_epsilon", .double(json["layer_norm_epsilon"]?.double ?? 1e-6)),
        .init("scale_decoder_outputs", .bool(try scalesOutputs(width: words[1]))),
        .init(
          "tie_word_embeddings",
          .bool(try areSame("decoder/projection/weight", "decoder/embeddings/weight"))),
        .init("pad_token_id", 0), .init("eos_token_id", 1), .init("decoder_start_token_id", 0),
      ]
    }
  }

  /// What transformers calls a network.
  private static func projection(_ activation: String, _ isGated: Bool) -> String {
    guard isGated else { return activation }
    return "gated-" + (activation == "gelu_new" ? "gelu" : activation)
  }

  /// Fails if scores are divided by anything.
  private func requireUnscaled(_ stack: String, _ name: String) throws(CheckpointError) {
    for layer in 0..<layers(of: stack) { try require("\(stack)/layer_\(layer)/\(name)", 1) }
    guard layers(of: stack) == 0 || has("\(stack)/layer_0/\(name)") else {
      throw CheckpointError(
        .unsupported("is missing, so that scores are divided by the root of a head's size"),
        tensor: TensorName("\(stack)/layer_0/\(name)"))
    }
  }

  /// Whether states are divided by the root of the width before words are scored.
  private func scalesOutputs(width: Int) throws(CheckpointError) -> Bool {
    let name = "decoder/scale_outputs"
    guard let factor = number(name), factor != 1 else { return false }
    guard Float(factor) == Float(1 / Double(width).squareRoot()) else {
      throw CheckpointError(
        .unsupported("is \(factor), and supported is 1 or one by the root of \(width)"),
        tensor: TensorName(name))
    }
    return true
  }
}
