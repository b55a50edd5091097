import Models

/// Rules for encoders as Google's TensorFlow code names its variables: kernels are `[in, out]`, and a normalisation
/// has `gamma` and `beta`.
extension [Rule] {
  /// Embeddings with their normalisation, in one folder of names.
  static func tensorFlowEmbeddings(_ folder: String) -> [Rule] {
    var rules = rename(folder + "word_embeddings", "embeddings.word.weight")
    rules += rename(folder + "position_embeddings", "embeddings.position.weight")
    rules += rename(folder + "token_type_embeddings", "embeddings.token_type.weight")
    return rules + tensorFlowNorm(folder + "LayerNorm", "embeddings.norm")
  }

  /// The blocks, layer by layer.
  static func tensorFlowBlocks(_ folder: String) -> [Rule] {
    let (layer, block) = (folder + "layer_{i}/", "encoder.blocks.{i}.")
    let linear: ModuleNames = [
      "attention/self/query": "attention.query", "attention/self/key": "attention.key",
      "attention/self/value": "attention.value", "attention/output/dense": "attention.output",
      "intermediate/dense": "feed_forward.up", "output/dense": "feed_forward.down",
    ]
    var rules = linear.flatMap { tensorFlowLinear(layer + $0.key, block + $0.value) }
    rules += tensorFlowNorm(layer + "attention/output/LayerNorm", block + "attention_norm")
    return rules + tensorFlowNorm(layer + "output/LayerNorm", block + "feed_forward_norm")
  }

  /// What scores words, without the decoder, which is not stored, since it is tied.
  ///
  /// - Parameter path: that of the bias.
  static func tensorFlowWordScores(
    dense: String, norm: String, bias: String, as path: String = "mlm_head.bias"
  ) -> [Rule] {
    tensorFlowLinear(dense, "mlm_head.transform") + tensorFlowNorm(norm, "mlm_head.norm")
      + rename(bias, path)
  }

  static func tensorFlowLinear(_ stored: String, _ path: String) -> [Rule] {
    tensor(stored + "/kernel", .transposed(.weight(path + ".weight")))
      + tensor(stored + "/bias", .weight(path + ".bias"))
  }

  static func tensorFlowNorm(_ stored: String, _ path: String) -> [Rule] {
    tensor(stored + "/gamma", .weight(path + ".weight"))
      + tensor(stored + "/beta", .weight(path + ".bias"))
  }

  /// A head's `output_weights`, which are `[out, in]` already, and `output_bias`.
  static func tensorFlowOutput(_ stored: String, _ path: String) -> [Rule] {
    tensor(stored + "_weights", .weight(path + ".weight"))
      + tensor(stored + "_bias", .weight(path + ".bias"))
  }
}

extension NativeConfig {
  /// A config file with Hugging Face's keys, in which "gelu" is the tanh form.
  static func tensorFlow(_ fileName: String, more keys: [String] = []) -> NativeConfig {
    .renamed(
      fileName,
      (keys + [
        "attention_probs_dropout_prob", "hidden_act", "hidden_dropout_prob", "hidden_size",
        "initializer_range", "intermediate_size", "max_position_embeddings",
        "num_attention_heads", "num_hidden_layers", "type_vocab_size", "vocab_size",
      ]).map { (native: $0, usual: $0) },
      values: [
        "hidden_act": Dictionary(["gelu_new", "gelu_pytorch_tanh"].map { ($0, "gelu") }) { $1 }
      ],
      labels: "output_weights")
  }
}
