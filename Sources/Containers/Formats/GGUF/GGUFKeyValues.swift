public import TensorCore

/// The key-values of a GGUF file, in its order.
public struct GGUFKeyValues: Sendable {
  private(set) var entries: [(key: String, value: GGUFValue)] = []
  private var positions: [TensorName: Int] = [:]

  /// The longest list that is told as JSON. Those of a tokenizer are longer.
  private static let longestList = 1024

  init() {}

  /// The facts of a JSON object. What GGUF has no type for is left out.
  public init(_ object: JSONValue) {
    for member in object.members ?? [] {
      guard let value = GGUFValue(member.value) else { continue }
      _ = append(member.key, value)
    }
  }

  /// Whether there are the words of a tokenizer.
  public var hasTokenizer: Bool { self["tokenizer.ggml.tokens"] != nil }

  /// A value as JSON, however long its list is; `nil` if there is none, or if it cannot be told so: a list of lists, a
  /// text that is no UTF-8 or longer than 64 KiB, what is no finite number.
  public func json(_ key: String) -> JSONValue? { self[key]?.json(limit: .max) }

  /// The same with another value of a key, in its place or at the end.
  public func setting(_ key: String, _ value: JSONValue) -> GGUFKeyValues {
    GGUFValue(value).map { setting(key, $0) } ?? self
  }

  private func setting(_ key: String, _ value: GGUFValue) -> GGUFKeyValues {
    var values = self
    if let position = positions[TensorName(key)] {
      values.entries[position].value = value
    } else {
      _ = values.append(key, value)
    }
    return values
  }

  /// The same with a list of bytes as the value of a key.
  public func setting(_ key: String, bytes: [UInt8]) -> GGUFKeyValues {
    setting(key, .list(of: .uint8, count: bytes.count, bytes: bytes))
  }

  /// The keys.
  public var keys: [String] { entries.map(\.key) }

  /// Adds a pair at the end, unless the key is there.
  mutating func append(_ key: String, _ value: GGUFValue) -> Bool {
    guard positions.updateValue(entries.count, forKey: TensorName(key)) == nil else { return false }
    entries.append((key, value))
    return true
  }

  subscript(key: String) -> GGUFValue? { positions[TensorName(key)].map { entries[$0].value } }

  /// The texts, but for those of a tokenizer.
  var metadata: Metadata? {
    let texts = entries.compactMap { entry -> Metadata.Entry? in
      guard case .text(let text) = entry.value, !entry.key.hasPrefix("tokenizer.") else {
        return nil
      }
      return Metadata.Entry(entry.key, text)
    }
    return texts.isEmpty ? nil : Metadata(texts)
  }

  /// What a model's key-values say about it, as a config that a dialect understands; `nil` of a file that
  /// names no architecture.
  ///
  /// - Throws: `CheckpointError` if that is longer than a config may be.
  func config() throws(CheckpointError) -> CompanionFile? {
    guard case .text? = self[GGUF.architectureKey] else { return nil }
    var members: [JSONValue.Member] = []
    var size = 0
    for entry in entries {
      guard entry.value.isToldAsJSON(limit: Self.longestList) else { continue }
      size += entry.key.utf8.count + entry.value.byteCount
      guard size <= Limits.config else {
        throw CheckpointError(
          .limitExceeded("what key-values say of a model", limit: Limits.config, found: size))
      }
      guard let json = entry.value.json(limit: Self.longestList) else { continue }
      members.append(JSONValue.Member(entry.key, json))
    }
    let text = JSONValue.object(members).text(pretty: true) + "\n"
    return CompanionFile(name: Array("config.json".utf8), bytes: Array(text.utf8))
  }
}
