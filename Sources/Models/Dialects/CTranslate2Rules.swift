extension [Rule] {
  /// A stack's blocks and normalisations as CTranslate2 names them: queries, keys and values are one matrix
  /// (OpenNMT/CTranslate2: python/ctranslate2/specs/transformer_spec.py, converters/utils.py, 4.8).
  ///
  /// - Parameter keysHaveBias: otherwise there are zeros in the place of it.
  package static func ctranslate2Stack(_ name: String, keysHaveBias: Bool = true) -> [Rule] {
    let (stored, path) = ("\(name)/layer_{i}/", "\(name).blocks.{i}.")
    let (gate, up) = (path + "feed_forward.gate", path + "feed_forward.up")
    return
      ctranslate2Attention(
        stored + "self_attention/linear_0", path + "attention", ["query", "key", "value"],
        keysHaveBias: keysHaveBias)
      + ctranslate2Linear(stored + "self_attention/linear_1", path + "attention.output")
      + ctranslate2Norm(stored + "self_attention/layer_norm", path + "attention_norm")
      + ctranslate2Norm(stored + "self_attention/q_norm", path + "attention.query_norm")
      + ctranslate2Norm(stored + "self_attention/k_norm", path + "attention.key_norm")
      + without(gate + ".weight", ctranslate2Linear(stored + "ffn/linear_0", up))
      + with(
        gate + ".weight", ctranslate2Linear(stored + "ffn/linear_0", gate),
        ctranslate2Linear(stored + "ffn/linear_0_noact", up))
      + ctranslate2Linear(stored + "ffn/linear_1", path + "feed_forward.down")
      + ctranslate2Norm(stored + "ffn/layer_norm", path + "feed_forward_norm")
      + ctranslate2Norm("\(name)/layer_norm", "\(name).norm")
  }

  /// The decoder's attention to the encoder's states.
  package static func ctranslate2CrossAttention(keysHaveBias: Bool = true) -> [Rule] {
    let (stored, path) = ("decoder/layer_{i}/attention/", "decoder.blocks.{i}.cross_attention")
    return ctranslate2Linear(stored + "linear_0", path + ".query")
      + ctranslate2Attention(
        stored + "linear_1", path, ["key", "value"], keysHaveBias: keysHaveBias)
      + ctranslate2Linear(stored + "linear_2", path + ".output")
      + ctranslate2Norm(stored + "layer_norm", path + "_norm")
  }

  /// Some of an attention layer's matrices, their rows one behind the other.
  private static func ctranslate2Attention(
    _ stored: String, _ path: String, _ parts: [String], keysHaveBias: Bool
  ) -> [Rule] {
    func joined(_ parts: [String], _ ending: String) -> Layout {
      let weights = parts.map { Layout.weight("\(path).\($0).\(ending)") }
      return weights.count == 1 ? weights[0] : .joined(weights, axis: 0)
    }
    var bias = joined(parts, "bias")
    if !keysHaveBias, let place = parts.firstIndex(of: "key") {
      bias = .withZeros(joined(parts.filter { $0 != "key" }, "bias"), part: place, of: parts.count)
    }
    return tensor(stored + "/weight", joined(parts, "weight")) + tensor(stored + "/bias", bias)
  }

  /// A linear layer, or a convolution.
  package static func ctranslate2Linear(_ stored: String, _ path: String) -> [Rule] {
    ["weight", "bias"].flatMap { tensor("\(stored)/\($0)", .weight("\(path).\($0)")) }
  }

  /// A normalisation.
  package static func ctranslate2Norm(_ stored: String, _ path: String) -> [Rule] {
    tensor(stored + "/gamma", .weight(path + ".weight"))
      + tensor(stored + "/beta", .weight(path + ".bias"))
  }
}

extension Dialect.OwnFiles {
  /// The one file of a model.
  package static let ctranslate2 = Dialect.OwnFiles(
    program: "CTranslate2", files: "model.bin", container: "ctranslate2")
}
