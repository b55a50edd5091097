package import TensorCore

/// What a file of CTranslate2's says of its model beside the weights: settings, which are tensors of one number, and
/// shapes (OpenNMT/CTranslate2: python/ctranslate2/specs/transformer_spec.py and attention_spec.py, 4.8).
package struct CTranslate2Settings: Sendable {
  /// The container that has them.
  static let container = "ctranslate2"

  /// The config.json beside the file, which is CTranslate2's own.
  package let json: JSONValue
  private let table: TensorTable

  /// The settings of a file.
  init(_ json: JSONValue, _ table: TensorTable) {
    (self.json, self.table) = (json, table)
  }

  /// Whether tensors are those of a model of CTranslate2's.
  static func are(in table: TensorTable) -> Bool {
    ["encoder", "decoder"].contains {
      table[TensorName("\($0)/num_heads")].map { $0.elementCount == 1 } ?? false
    }
  }

  /// Whether there is a tensor of that name.
  package func has(_ name: String) -> Bool { table[TensorName(name)] != nil }

  /// The extents of a tensor; `nil` if it is not there.
  package func shape(_ name: String) -> [Int]? { table[TensorName(name)]?.shape }

  /// A setting; `nil` if it is not there, or no number.
  package func number(_ name: String) -> Double? {
    table[TensorName(name)]?.elementCount == 1 ? first(of: name) : nil
  }

  /// The first number of a tensor; `nil` if it has none.
  package func first(of name: String) -> Double? {
    guard let tensor = table[TensorName(name)], tensor.elementCount > 0,
      tensor.dtype.byteWidth != nil, let bytes = try? tensor.bytes(of: 0..<1)
    else { return nil }
    return tensor.dtype.element(at: 0, of: bytes).number
  }

  /// The type of a tensor; `nil` if it is not there.
  package func dtype(_ name: String) -> DType? { table[TensorName(name)]?.dtype }

  /// A setting that must be there.
  ///
  /// - Throws: `CheckpointError` if it is not.
  package func required(_ name: String) throws(CheckpointError) -> Double {
    guard let number = number(name) else {
      throw CheckpointError(
        .malformed("is missing, or no number: it says what CTranslate2 computes"),
        tensor: TensorName(name))
    }
    return number
  }

  /// A setting that is a whole number; 0 stands for one that is none.
  ///
  /// - Throws: `CheckpointError` if it is not there.
  package func count(_ name: String) throws(CheckpointError) -> JSONValue {
    .number(Int(exactly: try required(name)) ?? 0)
  }

  /// The extents of a tensor that has so many.
  ///
  /// - Throws: `CheckpointError` if it is not there, or has not.
  package func shape(_ name: String, rank: Int) throws(CheckpointError) -> [Int] {
    guard let shape = shape(name), shape.count == rank else {
      throw CheckpointError(
        .malformed("is missing, or has not \(rank) extents: they show the model's sizes"),
        tensor: TensorName(name))
    }
    return shape
  }

  /// How many layers a stack has.
  package func layers(of stack: String) -> Int {
    var layers = 0
    while has("\(stack)/layer_\(layers)/ffn/linear_0/weight") { layers += 1 }
    return layers
  }

  /// Fails if a setting is there and another number.
  ///
  /// - Throws: `CheckpointError`.
  package func require(_ name: String, _ wanted: Double) throws(CheckpointError) {
    guard let value = number(name), value != wanted else { return }
    throw CheckpointError(
      .unsupported("is \(value), and of such a model \(wanted) is supported"),
      tensor: TensorName(name))
  }

  /// A setting that each layer of a stack has; `nil` if none has.
  ///
  /// - Throws: `CheckpointError` if it is not the same in all of them.
  package func inLayers(of stack: String, _ name: String) throws(CheckpointError) -> Double? {
    let first = number("\(stack)/layer_0/\(name)")
    for layer in 0..<layers(of: stack) where number("\(stack)/layer_\(layer)/\(name)") != first {
      throw CheckpointError(
        .unsupported("differs from the first layer's"),
        tensor: TensorName("\(stack)/layer_\(layer)/\(name)"))
    }
    return first
  }

  /// What transformers calls the activation of feed-forward networks, which is the same in all stacks.
  ///
  /// - Throws: `CheckpointError` if it is not, or not known.
  package func activation(of stacks: String...) throws(CheckpointError) -> JSONValue {
    let names = ["relu", "gelu_new", "swish", "gelu", "quick_gelu", "tanh", "sigmoid"]
    let first = stacks[0] + "/activation"
    let number = Int(exactly: try required(first)) ?? -1
    for stack in stacks {
      guard names.indices.contains(number), try required(stack + "/activation") == Double(number)
      else {
        throw CheckpointError(
          .unsupported("activation \(number) is not supported, or not the same in all stacks"),
          tensor: TensorName(first))
      }
    }
    return .string(names[number])
  }

  /// Whether a stack's words are multiplied by the root of the width: a flag of 8 bits says it, or the number itself
  /// (`build_embeddings_scale` in src/layers/transformer.cc).
  ///
  /// - Throws: `CheckpointError` if it is another number.
  package func scalesWords(_ stack: String, width: Int) throws(CheckpointError) -> Bool {
    let name = stack + "/scale_embeddings"
    let factor = try required(name)
    if dtype(name) == .i8 { return factor != 0 }
    guard factor == 1 || Float(factor) == Float(width).squareRoot() else {
      throw CheckpointError(
        .unsupported(
          "words are multiplied by \(factor), and supported is 1 or the root of \(width)"),
        tensor: TensorName(name))
    }
    return factor != 1
  }

  /// Whether two tensors are the same.
  ///
  /// - Throws: `CheckpointError` if they cannot be read.
  package func areSame(_ a: String, _ b: String) throws(CheckpointError) -> Bool {
    guard let a = table[TensorName(a)], let b = table[TensorName(b)] else { return false }
    return try hasEqualBytes(a, b)
  }

  /// The epsilon of normalisations: what config.json says, or that of the program (include/ctranslate2/ops/layer_norm.h).
  package var epsilon: JSONValue {
    json["layer_norm_epsilon"].flatMap { $0 == .null ? nil : $0 } ?? .double(1e-5)
  }
}

extension Dialect {
  /// The settings of stacks, which are no weights. What they must be is looked at where the config is made of them.
  package static func ctranslate2Settings(
    of stacks: String...
  ) -> [(stored: String, reason: String)] {
    let names = [
      "activation", "alibi", "alibi_use_positive_positions", "alignment_heads", "alignment_layer",
      "embeddings_merge", "multi_query_attention", "num_heads", "pre_norm", "scale_alibi",
      "scale_embeddings", "start_from_zero_embedding",
    ]
    return stacks.flatMap { stack in
      names.map { ("\(stack)/\($0)", "a setting of CTranslate2") }
    }
  }
}

extension NativeConfig {
  /// CTranslate2's config.json says little; the settings among the tensors, and their shapes, say the rest.
  ///
  /// - Parameters:
  ///   - isMember: whether a file is of the model.
  ///   - members: the config that transformers has for it.
  package static func ctranslate2(
    isMember: @escaping @Sendable (CTranslate2Settings) -> Bool,
    members:
      @escaping @Sendable (CTranslate2Settings) throws(CheckpointError) -> [JSONValue.Member]
  ) -> NativeConfig {
    NativeConfig(
      inside: CTranslate2Settings.container,
      recognizes: { config, table in
        config["model_type"] == nil && CTranslate2Settings.are(in: table)
          && isMember(CTranslate2Settings(config, table))
      },
      usual: { config, table throws(CheckpointError) in
        .object(try members(CTranslate2Settings(config, table)))
      },
      native: { _ in nil }, tensors: { _ in [] })
  }
}
