import Kernels
import Models
import TensorCore

extension Dialect {
  /// Llama as Meta's own code names and lays it out (meta-llama/llama-models: models/llama3/model.py), with
  /// params.json beside it.
  ///
  /// Heads are stored in rotary pairs. Files of Llama 1 and 2 hold the frequencies, too. Larger models lie divided
  /// among `consolidated.00.pth`, `consolidated.01.pth` and so on.
  static let metaLlama = Dialect(
    name: "meta",
    architecture: MetaLlama.name,
    rules: [
      .rename("tok_embeddings", "embeddings.word"),
      rotated("attention.wq", "attention.query"),
      rotated("attention.wk", "attention.key"),
      layer("attention.wv", "attention.value"),
      layer("attention.wo", "attention.output"),
      layer("attention_norm", "attention_norm"),
      layer("feed_forward.w1", "feed_forward.gate"),
      layer("feed_forward.w3", "feed_forward.up"),
      layer("feed_forward.w2", "feed_forward.down"),
      layer("ffn_norm", "feed_forward_norm"),
      .rename("norm", "decoder.norm"),
      .rename("output", "lm_head", writesTie: .always),
      .rename("rope.freqs", "rotary_frequencies"),
    ],
    nativeConfig: .metaParams,
    limits: .metaLlama,
    evidence: [.name("layers.0.attention.wq.weight")],
    fileNames: ["torch": "consolidated.00.pth"],
    division: { name, shape, params in
      switch name.split(separator: ".").dropLast().last {
      case "wq", "wk", "wv", "w1", "w3", "output": .along(axis: 0)
      case "wo", "w2": .along(axis: 1)
      // By words in Llama 3, by features before.
      case "tok_embeddings": .along(axis: shape.last == params?["dim"]?.int ? 0 : 1)
      case "attention_norm", "ffn_norm", "norm", "rope": .repeated
      default: nil
      }
    })

  /// Without a bias, which Meta's layers have not.
  private static func layer(_ stored: String, _ path: String) -> [Rule] {
    .rename("layers.{i}.\(stored).weight", "decoder.blocks.{i}.\(path).weight")
  }

  private static func rotated(_ stored: String, _ path: String) -> [Rule] {
    .inRotaryPairs("layers.{i}." + stored, "decoder.blocks.{i}." + path, parts: ["weight"])
  }
}

extension NativeConfig {
  /// params.json. The width of the feed-forward network is not in it, but how it was computed.
  static let metaParams = NativeConfig(
    fileName: "params.json",
    recognizes: { $0["model_type"] == nil && $0["dim"] != nil },
    usual: { params, table throws(CheckpointError) in
      try MetaParams(params, table).config
    },
    native: { config in MetaParams.params(for: config) })
}

/// What params.json says.
private struct MetaParams {
  let params: JSONValue
  let width: Int
  let heads: Int
  let table: TensorTable

  init(_ params: JSONValue, _ table: TensorTable) throws(CheckpointError) {
    (self.params, self.table) = (params, table)
    func count(_ key: String) throws(CheckpointError) -> Int {
      guard let value = params[key]?.int, (1...ConfigReader.largestExtent).contains(value) else {
        throw CheckpointError(.malformed("config: \(key) must be a positive integer"))
      }
      return value
    }
    width = try count("dim")
    heads = try count("n_heads")
    // Rows for all heads: the one number that every part has less of than the whole.
    let queries = "layers.0.attention.wq.weight"
    if let rows = table[TensorName(queries)]?.shape.first, rows > 0, rows < width {
      throw CheckpointError(
        .refused(
          "\(queries) has \(rows) of the \(width) rows that dim of params.json asks for: not all parts of the"
            + " model are here"),
        advice: "parts are \"consolidated.00.pth\" and on, all in one folder, which is what to name"
      )
    }
  }

  /// The same facts as Hugging Face writes them.
  var config: JSONValue {
    get throws(CheckpointError) {
      var members: [JSONValue.Member] = [
        .init("model_type", .string(MetaLlama.name)),
        .init("architectures", [.string(MetaLlama.className + "ForCausalLM")]),
        .init("hidden_size", .number(width)), .init("num_attention_heads", .number(heads)),
        .init("num_key_value_heads", params["n_kv_heads"] ?? .null),
        .init("intermediate_size", .number(try feedForwardWidth)),
        .init("rms_norm_eps", params["norm_eps"] ?? .double(1e-5)),
        .init("rope_parameters", rotary), .init("tie_word_embeddings", false),
      ]
      if let layers = params["n_layers"] { members.append(.init("num_hidden_layers", layers)) }
      // Llama 1 and 2 say −1: the tokenizer has as many words as the table.
      if let words = params["vocab_size"]?.int, words > 0 {
        members.append(.init("vocab_size", .number(words)))
      } else if let words = table["output.weight"]?.shape.first {
        members.append(.init("vocab_size", .number(words)))
      }
      return .object(members)
    }
  }

  /// models/llama3/model.py: `FeedForward`.
  private var feedForwardWidth: Int {
    get throws(CheckpointError) {
      let multiple = params["multiple_of"]?.int ?? 256
      let factor = params["ffn_dim_multiplier"]?.double ?? 1
      guard (1...ConfigReader.largestExtent).contains(multiple), factor > 0, factor < 1024 else {
        throw CheckpointError(
          .malformed("config: multiple_of and ffn_dim_multiplier must be positive, and not large"))
      }
      // The width is 2³¹ at most, so nothing overflows.
      let scaled = Int(factor * Double(2 * 4 * width / 3))
      return (scaled + multiple - 1) / multiple * multiple
    }
  }

  /// Without `rope_theta` it is that of Llama 1 and 2. The scaling's numbers stand in Meta's code.
  private var rotary: JSONValue {
    let theta = params["rope_theta"] ?? .double(10000)
    guard params["use_scaled_rope"]?.bool == true else {
      return ["rope_type": "default", "rope_theta": theta]
    }
    return .object(
      [.init("rope_type", "llama3"), .init("rope_theta", theta)] + Self.scaling)
  }

  private static let scaling: [JSONValue.Member] = [
    .init("factor", .double(8)), .init("low_freq_factor", .double(1)),
    .init("high_freq_factor", .double(4)), .init("original_max_position_embeddings", .number(8192)),
  ]

  /// params.json for a config; `nil` if Meta's code does not compute what it says.
  static func params(for config: JSONValue) -> JSONValue? {
    var reader = ConfigReader(config)
    let model = Llama<MetaLlama>(config: &reader) { $0 == "lm_head.weight" }
    let sizes = model.sizes
    guard reader.faults.isEmpty, reader.unsupported.isEmpty,
      sizes.headSize * sizes.heads == sizes.width, model.activation == .silu,
      !model.variant.inputBias, !model.variant.feedForwardBias
    else { return nil }
    var members: [JSONValue.Member] = [
      .init("dim", .number(sizes.width)), .init("n_layers", .number(sizes.layers)),
      .init("n_heads", .number(sizes.heads)), .init("n_kv_heads", .number(sizes.keyHeads)),
      .init("vocab_size", .number(sizes.vocabulary)),
      // Rounded up to a multiple of itself, the width is what it was.
      .init("multiple_of", .number(sizes.feedForward)),
    ]
    let usual = 2 * 4 * sizes.width / 3
    if usual > sizes.feedForward {
      members.append(
        .init("ffn_dim_multiplier", .double(Double(sizes.feedForward) / Double(usual))))
    }
    members += [
      .init("norm_eps", .double(model.form.norm?.epsilon ?? 0)),
      .init("rope_theta", .double(model.rotary.base)),
    ]
    switch model.rotary.scaling {
    case .none: break
    case .llama3(factor: 8, lowFrequency: 1, highFrequency: 4, trained: 8192):
      members.append(.init("use_scaled_rope", true))
    default: return nil
    }
    return .object(members)
  }
}
