import Kernels
import TensorCore

/// How the key-values of a GGUF file and a config say the same about a decoder.
struct GGUFConfig<Model: CausalDecoder>: Sendable {
  /// What a file calls the architecture.
  var architecture: String
  /// The class that a config names.
  var className: String
  /// What a key of the architecture and one of the config are called that mean the same.
  var names: KeyValuePairs<String, String> = ggufNames
  /// What else the config says: facts that follow from others, or from the tensors.
  var facts: @Sendable (GGUFFacts) throws(CheckpointError) -> [JSONValue.Member] = {
    facts throws(CheckpointError) in try facts.rotary()
  }
  /// What else key-values say.
  var values: @Sendable (Model, JSONValue) -> [JSONValue.Member] = { _, _ in [] }
  /// Whether a file of that architecture is this member's.
  var isMember: @Sendable (GGUFFacts) -> Bool = { _ in true }
}

/// What most decoders' configs call what key-values say.
let ggufNames: KeyValuePairs = [
  "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
  "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
  "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
  "attention.layer_norm_rms_epsilon": "rms_norm_eps", "context_length": "max_position_embeddings",
]

extension NativeConfig {
  /// The key-values of a GGUF file.
  static func gguf<Model: CausalDecoder>(_ config: GGUFConfig<Model>) -> NativeConfig {
    NativeConfig(
      inside: "gguf",
      recognizes: { values in
        let facts = GGUFFacts(values, TensorTable())
        return facts.architecture == config.architecture && config.isMember(facts)
      },
      usual: { values, table throws(CheckpointError) in
        try config.usual(GGUFFacts(values, table))
      },
      native: { config.native($0) }, tensors: { config.form($0)?.rotaryTensors ?? [] })
  }
}

extension GGUFConfig {
  /// The config.
  fileprivate func usual(_ facts: GGUFFacts) throws(CheckpointError) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("architectures", [.string(className)]), .init("model_type", .string(Model.name)),
    ]
    for (key, name) in names {
      guard let value = facts[key] else { continue }
      // A list has a number for each layer; a config has one for all.
      if let list = value.elements, let first = list.first {
        guard list.allSatisfy({ $0 == first }) else {
          throw CheckpointError(
            .unsupported("metadata: \(architecture).\(key) differs from layer to layer"))
        }
        members.append(.init(name, first))
      } else {
        members.append(.init(name, value))
      }
    }
    if let words = facts.shape("token_embd.weight")?.first {
      members.append(.init("vocab_size", .number(words)))
    }
    members.append(.init("tie_word_embeddings", .bool(!facts.has("output.weight"))))
    members += facts.tokens
    // What a member says of itself goes before what most say.
    for member in try self.facts(facts) {
      members.removeAll { $0.key == member.key }
      members.append(member)
    }
    return .object(members)
  }

  /// The key-values for a config, as llama.cpp's own converter says them; `nil` if it is none of the model's.
  fileprivate func native(_ config: JSONValue) -> JSONValue? {
    guard let model = model(config) else { return nil }
    let form = model.form
    var facts: [JSONValue.Member] = [
      .init("context_length", .number(contextLength(config, form))),
      .init("embedding_length", .number(form.width)),
      .init("block_count", .number(form.blocks.count)),
      .init("vocab_size", .number(form.vocabulary)),
    ]
    if let norm = form.norm ?? form.blocks.first?.norm {
      let kind = norm.kind == .rootMeanSquare ? "layer_norm_rms_epsilon" : "layer_norm_epsilon"
      facts.append(.init("attention.\(kind)", .double(norm.epsilon)))
    }
    facts += form.attentionValues + form.rotaryValues
    for member in values(model, config) {
      facts.removeAll { $0.key == member.key }
      facts.append(member)
    }
    return .object(
      [.init(GGUFFacts.architectureKey, .string(architecture))]
        + facts.map { .init("\(architecture).\($0.key)", $0.value) }
        + [.init("tokenizer.ggml.model", "none")])
  }

  /// The model of a config; `nil` if it is none.
  private func model(_ config: JSONValue) -> Model? {
    var reader = ConfigReader(config)
    let model = Model(config: &reader) { $0 == "lm_head.weight" }
    return reader.faults.isEmpty && reader.unsupported.isEmpty ? model : nil
  }

  fileprivate func form(_ config: JSONValue) -> DecoderForm? { model(config)?.form }

  private func contextLength(_ config: JSONValue, _ form: DecoderForm) -> Int {
    form.embedding.positions?.count ?? config["max_position_embeddings"]?.int ?? form.longest
      ?? 2048
  }
}

extension DecoderForm {
  /// What key-values say of attention and of feed-forward networks.
  fileprivate var attentionValues: [JSONValue.Member] {
    let shapes = blocks.map(\.attention.shape)
    guard let shape = shapes.first else { return [] }
    var members: [JSONValue.Member] = [
      .init("attention.head_count", .number(shape.heads)),
      .init("attention.head_count_kv", .number(shape.keyHeads)),
      .init("attention.key_length", .number(shape.headSize)),
      .init("attention.value_length", .number(shape.headSize)),
    ]
    if case .network(let network)? = blocks.first?.feedForward {
      members.append(.init("feed_forward_length", .number(network.hidden)))
    }
    if let window = shapes.lazy.compactMap(\.window).first {
      members.append(.init("attention.sliding_window", .number(window)))
    }
    if let bound = blocks.first?.attention.softcap {
      members.append(.init("attn_logit_softcapping", .double(bound)))
    }
    if let bound = head.softcap {
      members.append(.init("final_logit_softcapping", .double(bound)))
    }
    return members
  }

  /// What key-values say of rotary positions; factors of their frequencies are tensors.
  fileprivate var rotaryValues: [JSONValue.Member] {
    guard let rotary = rotaries.first else { return [] }
    var members: [JSONValue.Member] = [
      .init("rope.dimension_count", .number(rotary.turned)),
      .init("rope.freq_base", .double(rotary.base)),
    ]
    func add(_ key: String, _ value: JSONValue?) {
      if let value { members.append(.init("rope.scaling.\(key)", value)) }
    }
    switch rotary.scaling {
    case .linear(let factor):
      add("type", "linear")
      add("factor", .double(factor))
    case .yarn(let yarn):
      add("type", "yarn")
      add("factor", .double(yarn.factor))
      add("original_context_length", .number(yarn.trained))
      add("yarn_attn_factor", yarn.attentionFactor.map { .double($0) })
      add("yarn_beta_fast", .double(yarn.betaFast))
      add("yarn_beta_slow", .double(yarn.betaSlow))
    case .longRoPE(let longRoPE):
      add("type", "longrope")
      add("original_context_length", .number(longRoPE.trained))
      add("attn_factor", .double(rotary.frequencies(length: 1).attentionFactor))
    default: break
    }
    return members
  }

  /// The factors of rotary frequencies, which are tensors in a file.
  fileprivate var rotaryTensors: [Tensor] {
    guard let rotary = rotaries.first else { return [] }
    func tensor(_ name: TensorName, _ numbers: [Double]) -> Tensor {
      let bytes = numbers.flatMap { number in
        (0..<4).map { UInt8(truncatingIfNeeded: Float(number).bitPattern >> (8 * $0)) }
      }
      return Tensor(name: name, dtype: .f32, shape: [numbers.count], bytes: ByteArray(bytes))
    }
    switch rotary.scaling {
    case .llama3:
      let factors = (0..<rotary.pairs).map {
        rotary.plainFrequency($0) / rotary.llama3Frequency($0)
      }
      return [tensor("rope_freqs.weight", factors)]
    case .longRoPE(let factors):
      return [
        tensor("rope_factors_long.weight", factors.long),
        tensor("rope_factors_short.weight", factors.short),
      ]
    default: return []
    }
  }
}
