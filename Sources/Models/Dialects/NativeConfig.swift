package import TensorCore

/// An ecosystem's own config file: the same facts as config.json, fewer, under other keys and in other
/// terms.
package struct NativeConfig: Sendable {
  /// What the file is called.
  package let fileName: String
  /// Whether a config is one of these.
  let recognizes: @Sendable (JSONValue) -> Bool
  /// The facts under Hugging Face's keys, computed where they are not there as they are. What only the
  /// tensors say is taken from them.
  ///
  /// The values come from a file: an error of theirs is thrown, and sizes are multiplied with care.
  let usual: @Sendable (JSONValue, TensorTable) throws(CheckpointError) -> JSONValue
  /// The file for facts under Hugging Face's keys, or `nil` if it is not written.
  let native: @Sendable (JSONValue) -> JSONValue?

  package init(
    fileName: String,
    recognizes: @escaping @Sendable (JSONValue) -> Bool = { $0["model_type"] == nil },
    usual: @escaping @Sendable (JSONValue, TensorTable) throws(CheckpointError) -> JSONValue,
    native: @escaping @Sendable (JSONValue) -> JSONValue? = { _ in nil }
  ) {
    self.fileName = fileName
    self.recognizes = recognizes
    self.usual = usual
    self.native = native
  }

  /// A file that only has other keys; what is not in the table stays.
  package static func renamed(
    _ fileName: String, _ keys: [(native: String, usual: String)]
  ) -> NativeConfig {
    NativeConfig(fileName: fileName) { config, _ in
      .object(
        (config.members ?? []).map { member in
          let key = keys.first { $0.native == member.key }?.usual ?? member.key
          return JSONValue.Member(key, member.value)
        })
    } native: { config in
      .object(keys.compactMap { key in config[key.usual].map { JSONValue.Member(key.native, $0) } })
    }
  }
}

extension [Family] {
  /// What configs of ecosystems of their own are called, beside config.json.
  package var configNames: [String] {
    var names: [String] = []
    for name in dialects.compactMap(\.nativeConfig?.fileName) where !names.contains(name) {
      names.append(name)
    }
    return names
  }
}
