import Kernels
package import TensorCore

/// How the key-values of a GGUF file and a config say the same about a model.
package struct GGUFConfig<Model: Architecture>: Sendable {
  /// What a file calls the architecture.
  var architecture: String
  /// The class that a config names.
  var className: String
  /// What a key of the architecture and one of the config are called that mean the same.
  var names: KeyValuePairs<String, String>
  /// What else the config says: facts that follow from others, or from the tensors.
  var facts: @Sendable (GGUFFacts) throws(CheckpointError) -> [JSONValue.Member]
  /// What else key-values say.
  var values: @Sendable (Model, JSONValue) -> [JSONValue.Member]
  /// Whether a file of that architecture is this member's.
  var isMember: @Sendable (GGUFFacts) -> Bool
  /// Whether a model is written as that architecture.
  var holds: @Sendable (Model) -> Bool
  /// Whether the model is one of words, of whose vocabulary and tokenizer something is said.
  var isOfWords: Bool

  /// Describes key-values.
  package init(
    architecture: String, className: String, names: KeyValuePairs<String, String> = ggufNames,
    facts: @escaping @Sendable (GGUFFacts) throws(CheckpointError) -> [JSONValue.Member] = {
      facts throws(CheckpointError) in try facts.rotary()
    },
    values: @escaping @Sendable (Model, JSONValue) -> [JSONValue.Member] = { _, _ in [] },
    isMember: @escaping @Sendable (GGUFFacts) -> Bool = { _ in true },
    holds: @escaping @Sendable (Model) -> Bool = { _ in true }, isOfWords: Bool = true
  ) {
    self.architecture = architecture
    self.className = className
    self.names = names
    self.facts = facts
    self.values = values
    self.isMember = isMember
    self.holds = holds
    self.isOfWords = isOfWords
  }
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
  ///
  /// - Parameters:
  ///   - facts: what they say of a model, before what the config adds. A key that begins with `tokenizer.` is whole.
  ///   - tensors: what a file holds beside the weights.
  package static func gguf<Model: Architecture>(
    _ config: GGUFConfig<Model>,
    facts: @escaping @Sendable (Model, JSONValue) -> [JSONValue.Member],
    tensors: @escaping @Sendable (Model) -> [Tensor] = { _ in [] }
  ) -> NativeConfig {
    NativeConfig(
      inside: "gguf",
      recognizes: { values, table in
        let facts = GGUFFacts(values, table)
        return facts.architecture == config.architecture && config.isMember(facts)
      },
      usual: { values, table throws(CheckpointError) in
        try config.usual(GGUFFacts(values, table))
      },
      native: { values in
        config.model(values).map { config.native($0, values, facts($0, values)) }
      },
      tensors: { config.model($0).map(tensors) ?? [] })
  }

  /// The key-values of a model that files call this or another architecture.
  package func or(_ other: NativeConfig) -> NativeConfig {
    NativeConfig(
      inside: "gguf",
      recognizes: { recognizes($0, $1) || other.recognizes($0, $1) },
      usual: { values, table throws(CheckpointError) in
        try (recognizes(values, table) ? self : other).usual(values, table)
      },
      native: { native($0) ?? other.native($0) },
      tensors: { native($0) == nil ? other.tensors($0) : tensors($0) })
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
    if isOfWords { members += facts.words }
    // What a member says of itself goes before what most say.
    for member in try self.facts(facts) {
      members.removeAll { $0.key == member.key }
      members.append(member)
    }
    return .object(members)
  }

  /// The key-values for a config, as llama.cpp's own converter says them.
  fileprivate func native(
    _ model: Model, _ config: JSONValue, _ usual: [JSONValue.Member]
  ) -> JSONValue {
    var facts = usual
    for member in values(model, config) {
      facts.removeAll { $0.key == member.key }
      facts.append(member)
    }
    return .object(
      [.init(GGUFFacts.architectureKey, .string(architecture))]
        + facts.map { member in
          member.key.hasPrefix("tokenizer.")
            ? member : .init("\(architecture).\(member.key)", member.value)
        } + (isOfWords ? [.init("tokenizer.ggml.model", "none")] : []))
  }

  /// The model of a config; `nil` if it is none that is written so.
  fileprivate func model(_ config: JSONValue) -> Model? {
    var reader = ConfigReader(config)
    let model = Model(config: &reader) { $0 == "lm_head.weight" }
    return reader.faults.isEmpty && reader.unsupported.isEmpty && holds(model) ? model : nil
  }
}
