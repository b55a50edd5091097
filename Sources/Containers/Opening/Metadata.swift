import TensorCore

/// The text that a container carries beside its tensors: safetensors' `__metadata__`.
///
/// An ordered list of pairs, because rewriting it must not change it. A checkpoint without
/// `__metadata__` has none, which is not the same as an empty one.
public struct Metadata: Sendable, Equatable {
  /// One pair.
  public struct Entry: Sendable, Equatable {
    /// The key; unique.
    public let key: String
    /// The value.
    public let value: String

    /// Makes a pair.
    public init(_ key: String, _ value: String) {
      self.key = key
      self.value = value
    }

    public static func == (a: Entry, b: Entry) -> Bool {
      a.key.utf8.elementsEqual(b.key.utf8) && a.value.utf8.elementsEqual(b.value.utf8)
    }
  }

  /// The pairs, in the order of the file.
  public var entries: [Entry]

  /// Makes metadata of `entries`, whose keys must differ.
  public init(_ entries: [Entry] = []) {
    self.entries = entries
  }

  /// The value of `key`.
  public subscript(key: String) -> String? {
    entries.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }
}

extension Metadata {
  /// The keys that are in both with other values.
  static func differingKeys(_ a: Metadata?, _ b: Metadata?) -> [String] {
    guard let a, let b else { return [] }
    let values = Dictionary(a.entries.map { (TensorName($0.key), $0.value) }) { first, _ in first }
    return b.entries.filter { entry in
      values[TensorName(entry.key)].map { TensorName($0) != TensorName(entry.value) } ?? false
    }.map(\.key)
  }

  /// The pairs of both; where a key is in both, the first's value counts.
  static func merged(_ a: Metadata?, _ b: Metadata?) -> Metadata? {
    guard let a, let b else { return a ?? b }
    let known = Set(a.entries.map { TensorName($0.key) })
    return Metadata(a.entries + b.entries.filter { !known.contains(TensorName($0.key)) })
  }
}

extension Metadata: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, String)...) {
    self.init(elements.map { Entry($0.0, $0.1) })
  }
}
