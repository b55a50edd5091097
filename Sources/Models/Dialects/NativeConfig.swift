package import TensorCore

/// An ecosystem's own config file: the same facts as config.json, fewer, under other keys and in other
/// terms.
package struct NativeConfig: Sendable {
  /// Where it is.
  package enum Place: Sendable, Equatable {
    /// A file of that name.
    case file(String)
    /// In a container of that name, beside the tensors.
    case container(String)
  }

  /// Where it is.
  package let place: Place
  /// Whether a config, beside these tensors, is one of these.
  let recognizes: @Sendable (JSONValue, TensorTable) -> Bool
  /// The facts under Hugging Face's keys, computed where they are not there as they are. What only the
  /// tensors say is taken from them.
  ///
  /// The values come from a file: an error of theirs is thrown, and sizes are multiplied with care.
  let usual: @Sendable (JSONValue, TensorTable) throws(CheckpointError) -> JSONValue
  /// The file for facts under Hugging Face's keys, or `nil` if it is not written.
  let native: @Sendable (JSONValue) -> JSONValue?
  /// The tensor that it stands in, if it does.
  var tensorName: String?
  /// The tensors that a container holds beside the weights for facts under Hugging Face's keys.
  let tensors: @Sendable (JSONValue) -> [Tensor]

  package init(
    fileName: String,
    recognizes: @escaping @Sendable (JSONValue) -> Bool = { $0["model_type"] == nil },
    usual: @escaping @Sendable (JSONValue, TensorTable) throws(CheckpointError) -> JSONValue,
    native: @escaping @Sendable (JSONValue) -> JSONValue? = { _ in nil }
  ) {
    place = .file(fileName)
    tensors = { _ in [] }
    self.recognizes = { config, _ in recognizes(config) }
    self.usual = usual
    self.native = native
  }

  /// What a container says of its model, written whenever the config is the model's.
  ///
  /// - Parameter tensorName: the tensor that says it, where one does.
  package init(
    inside container: String, tensorName: String? = nil,
    recognizes: @escaping @Sendable (JSONValue, TensorTable) -> Bool,
    usual: @escaping @Sendable (JSONValue, TensorTable) throws(CheckpointError) -> JSONValue,
    native: @escaping @Sendable (JSONValue) -> JSONValue?,
    tensors: @escaping @Sendable (JSONValue) -> [Tensor]
  ) {
    place = .container(container)
    self.tensorName = tensorName
    self.tensors = tensors
    self.recognizes = recognizes
    self.usual = usual
    self.native = native
  }

  /// A file that only has other keys; what is not in the table stays.
  ///
  /// - Parameters:
  ///   - values: what the file calls values that Hugging Face calls otherwise, by Hugging Face's key. Only
  ///     for writing: what a file means by a name that both have is not known.
  ///   - labels: the tensor that has a row for each label, where the file does not say how many there are.
  package static func renamed(
    _ fileName: String, _ keys: [(native: String, usual: String)],
    values: [String: [String: String]] = [:], labels: String? = nil
  ) -> NativeConfig {
    NativeConfig(fileName: fileName) { config, table in
      var members = (config.members ?? []).map { member in
        let key = keys.first { $0.native == member.key }?.usual ?? member.key
        return JSONValue.Member(key, member.value)
      }
      let saysLabels = members.contains { ["num_labels", "id2label"].contains($0.key) }
      if !saysLabels, let rows = labels.flatMap({ table[TensorName($0)]?.shape.first }) {
        members.append(JSONValue.Member("num_labels", .number(rows)))
      }
      return .object(members)
    } native: { config in
      .object(
        keys.compactMap { key in
          guard let value = config[key.usual] else { return nil }
          let name = value.string.flatMap { values[key.usual]?[$0] }
          return JSONValue.Member(key.native, name.map { .string($0) } ?? value)
        })
    }
  }
}
