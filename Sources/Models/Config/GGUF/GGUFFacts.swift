import Kernels
package import TensorCore

/// What the key-values of a GGUF file say about a model, and the tensors that say the rest.
///
/// Keys: ggml, docs/gguf.md, and gguf-py 0.19, `gguf/constants.py` (`Keys`).
package struct GGUFFacts {
  /// The key that names the architecture, whose name stands before the keys of its facts.
  static let architectureKey = "general.architecture"

  private let values: JSONValue
  private let table: TensorTable
  /// What the file calls the architecture.
  let architecture: String

  init(_ values: JSONValue, _ table: TensorTable) {
    (self.values, self.table) = (values, table)
    architecture = values[Self.architectureKey]?.string ?? ""
  }

  /// The value of one of the architecture's keys.
  package subscript(key: String) -> JSONValue? { values["\(architecture).\(key)"] }

  /// A positive whole number, small enough to be multiplied.
  ///
  /// - Throws: `CheckpointError` if there is none.
  package func count(_ key: String) throws(CheckpointError) -> Int {
    guard let value = self[key]?.int, (1...ConfigReader.largestExtent).contains(value) else {
      throw CheckpointError(
        .malformed("metadata: \(architecture).\(key) must be a positive integer"))
    }
    return value
  }

  /// The numbers that a head of queries has.
  package var headSize: Int {
    get throws(CheckpointError) {
      if self["attention.key_length"] != nil { return try count("attention.key_length") }
      return max(1, try count("embedding_length") / (try count("attention.head_count")))
    }
  }

  /// A whole number that a file may say as a fraction.
  package func whole(_ key: String) -> Int? {
    self[key].flatMap { $0.int ?? $0.double.flatMap { Int(exactly: $0) } }
  }

  /// Whether there is a tensor of that name.
  package func has(_ name: String) -> Bool { table[TensorName(name)] != nil }

  /// The extents of a tensor.
  package func shape(_ name: String) -> [Int]? { table[TensorName(name)]?.shape }

  /// The numbers of a small tensor.
  ///
  /// - Throws: `CheckpointError` when they cannot be read.
  func numbers(_ name: String) throws(CheckpointError) -> [Double]? {
    guard let tensor = table[TensorName(name)], tensor.dtype.isComputable,
      tensor.elementCount <= 4096
    else { return nil }
    let bytes = try tensor.bytes(of: 0..<tensor.elementCount)
    return (0..<tensor.elementCount).compactMap { tensor.dtype.element(at: $0, of: bytes).number }
  }

  /// What kind of tokenizer is inside.
  package var tokenizer: String? { values["tokenizer.ggml.model"]?.string }

  /// What there is to say of words, under a config's keys.
  var words: [JSONValue.Member] {
    let count = shape("token_embd.weight")?.first.map {
      JSONValue.Member("vocab_size", .number($0))
    }
    let isTied = JSONValue.Member("tie_word_embeddings", .bool(!has("output.weight")))
    return (count.map { [$0] } ?? []) + [isTied] + tokens
  }

  /// The ids of the tokens that texts begin and end with, under a config's keys.
  package var tokens: [JSONValue.Member] {
    ["bos", "eos", "pad"].compactMap { name in
      values["tokenizer.ggml.\(name == "pad" ? "padding" : name)_token_id"]
        .map { JSONValue.Member("\(name)_token_id", $0) }
    }
  }
}

extension GGUFFacts {
  /// The rotary positions, as a config of transformers 4 says them, which 5 reads too.
  ///
  /// - Parameters:
  ///   - thetaKey: what the config calls the base; `nil` if the settings alone say it.
  ///   - fractionKey: what it calls the part of a head that is turned; `nil` if whole heads are.
  ///   - weights: the weights of YaRN's logarithm for what a file says of the lower one.
  package func rotary(
    thetaKey: String = "rope_theta", fractionKey: String? = nil,
    weights: (Double) -> (mscale: Double, ofAll: Double) = { (1, $0) }
  ) throws(CheckpointError) -> [JSONValue.Member] {
    var members = [JSONValue.Member(thetaKey, self["rope.freq_base"] ?? .double(10000))]
    if let fractionKey, let turned = self["rope.dimension_count"]?.int {
      // Whole numbers below 2^31: the fraction is the nearest one, and gives the number back.
      let fraction = Double(turned) / Double(try headSize)
      members.append(.init(fractionKey, .double(fraction)))
    }
    guard var scaling = try rotaryScaling?.members else { return members }
    if scaling.contains(where: { $0.value == "yarn" }),
      let multiplier = self["rope.scaling.yarn_log_multiplier"]?.double, multiplier != 0
    {
      let (mscale, ofAll) = weights(multiplier)
      scaling += [.init("mscale", .double(mscale)), .init("mscale_all_dim", .double(ofAll))]
    }
    return members + [.init("rope_scaling", .object(scaling))]
  }

  /// How frequencies are scaled; `nil` if they are not.
  private var rotaryScaling: JSONValue? {
    get throws(CheckpointError) {
      if let factors = try numbers("rope_freqs.weight") { return try llama3(factors) }
      let factor = self["rope.scaling.factor"] ?? self["rope.scale_linear"]
      let trained = self["rope.scaling.original_context_length"]
      // Some say no type.
      if let longRoPE = try longRoPE(trained) { return longRoPE }
      switch self["rope.scaling.type"]?.string {
      case "linear", nil:
        guard let factor, factor.double != 1, factor.double != 0 else { return nil }
        return ["rope_type": "linear", "factor": factor]
      case "yarn":
        var members: [JSONValue.Member] = [
          .init("rope_type", "yarn"), .init("factor", factor ?? .double(1)),
        ]
        for (key, name) in [
          ("rope.scaling.original_context_length", "original_max_position_embeddings"),
          ("rope.scaling.attn_factor", "attention_factor"),
          ("rope.scaling.yarn_attn_factor", "attention_factor"),
          ("rope.scaling.yarn_beta_fast", "beta_fast"),
          ("rope.scaling.yarn_beta_slow", "beta_slow"),
        ] where !members.contains(where: { $0.key == name }) {
          if let value = self[key] { members.append(.init(name, value)) }
        }
        return .object(members)
      default: return nil
      }
    }
  }

  private func longRoPE(_ trained: JSONValue?) throws(CheckpointError) -> JSONValue? {
    guard let short = try numbers("rope_factors_short.weight"),
      let long = try numbers("rope_factors_long.weight")
    else { return nil }
    // They are single-precision numbers, and the shortest digits that mean them are what was written.
    func list(_ numbers: [Double]) -> JSONValue {
      .array(numbers.map { .double(Double("\(Float($0))") ?? $0) })
    }
    var members: [JSONValue.Member] = [
      .init("type", "longrope"), .init("short_factor", list(short)),
      .init("long_factor", list(long)),
    ]
    if let trained { members.append(.init("original_max_position_embeddings", trained)) }
    // What follows from the lengths of texts is said only if it is another number.
    if let factor = self["rope.scaling.attn_factor"]?.double, let trained = trained?.int,
      trained > 1
    {
      let longest = Double(self["context_length"]?.int ?? trained)
      let usual = RotarySettings(
        size: 2 * short.count,
        scaling: .longRoPE(
          LongRoPE(short: short, long: long, factor: longest / Double(trained), trained: trained)))
      let expected = usual.frequencies(length: 1).attentionFactor
      if abs(factor - expected) > 1e-6 * expected {
        members.append(.init("attention_factor", .double(factor)))
      }
    }
    return .object(members)
  }

  /// The settings whose factors a file holds: those of `llama3` between 1 and 4 turns, with a length of training that
  /// is a power of two, as llama.cpp's converter computes them (`generate_extra_tensors`).
  ///
  /// - Throws: `CheckpointError` if the factors are those of no such settings.
  private func llama3(_ factors: [Double]) throws(CheckpointError) -> JSONValue {
    let base = self["rope.freq_base"]?.double ?? 10000
    let factor = factors.max() ?? 1
    // Lengths of training near 2^13 are the likeliest.
    for exponent in (4...20).sorted(by: { abs($0 - 13) < abs($1 - 13) }) {
      let rotary = RotarySettings(
        size: 2 * factors.count, base: base,
        scaling: .llama3(factor: factor, lowFrequency: 1, highFrequency: 4, trained: 1 << exponent))
      let isThose = factors.indices.allSatisfy { pair in
        let expected = rotary.plainFrequency(pair) / rotary.llama3Frequency(pair)
        return abs(factors[pair] - expected) < 1e-4 * expected
      }
      if isThose {
        return [
          "rope_type": "llama3", "factor": .double(factor), "low_freq_factor": .double(1),
          "high_freq_factor": .double(4),
          "original_max_position_embeddings": .number(1 << exponent),
        ]
      }
    }
    throw CheckpointError(
      .unsupported("its factors are those of no scaling of the type llama3"),
      tensor: "rope_freqs.weight", advice: "pass --config FILE, whose rope_scaling says more")
  }
}
