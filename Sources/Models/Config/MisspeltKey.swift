import TensorCore

/// A key of a config that nobody reads, and that is spelled nearly like one that is read and is not there.
public struct MisspeltKey: Equatable, Sendable {
  /// The key, as a person writes it.
  public let key: String
  /// The key that may be meant.
  public let meant: String
  /// What the model takes that to be instead.
  public let assumed: String

  /// What is to be said of it.
  public var text: String {
    let instead = assumed == "null" ? "" : ", which is taken to be \(assumed)"
    return "\(key) is not known: did you mean \(meant)\(instead)?"
  }
}

extension ConfigReader {
  /// The unknown keys that are one letter away from a key that was read and that the config does not have.
  package var misspeltKeys: [MisspeltKey] {
    unknownPaths.compactMap { path in
      guard let name = path.last else { return nil }
      let scope = path.dropLast()
      let absent = facts.filter { fact in
        fact.path.dropLast() == scope && config.value(at: fact.path) == nil
      }
      let near = absent.first { isOneEdit(name, from: $0.path.last ?? "") }
      return near.map {
        MisspeltKey(
          key: path.joined(separator: "."), meant: $0.key,
          assumed: $0.value.elements?.isEmpty == true ? "null" : $0.value.text())
      }
    }
  }
}
