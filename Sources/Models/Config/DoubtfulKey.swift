import TensorCore

/// A key of a config that says something, or seems to, and of which nothing was taken.
public struct DoubtfulKey: Equatable, Sendable {
  /// The key, as a person writes it.
  public let key: String
  /// What is to be said of it.
  public let text: String

  /// A key that is one letter away from one that was read and is not there.
  fileprivate init(_ key: String, meant fact: ConfigFact) {
    self.key = key
    let instead = fact.assumed.map { ", which is taken to be \($0)" } ?? ""
    text = "\(key) is not known: did you mean \(fact.key)\(instead)?"
  }

  /// A key that is one letter away from one that was asked for, in an object or of one, and is not there.
  fileprivate init(_ key: String, asked path: [String]) {
    self.key = key
    text = "\(key) is not known: did you mean \(path.joined(separator: "."))?"
  }

  /// A key that is null where that means nothing.
  fileprivate init(null fact: ConfigFact) {
    key = fact.key
    text =
      "\(fact.key) is null, which means nothing there: it is taken to be \(fact.assumed ?? "none")"
  }

  /// A key that says something else than the one which goes before it.
  fileprivate init(_ path: [String], _ value: JSONValue?, by other: [String], _ chosen: JSONValue?)
  {
    key = path.joined(separator: ".")
    let (here, there) = (value?.text() ?? "none", chosen?.text() ?? "none")
    text = "\(key) \(here) is not used: \(other.joined(separator: ".")) is \(there)"
  }
}

extension ConfigFact {
  /// What stands for what the config does not say, if there is something.
  fileprivate var assumed: String? {
    value == .null || value.elements?.isEmpty == true ? nil : value.text()
  }
}

extension ConfigReader {
  /// The keys that are null where that means nothing, the unknown ones that seem to be misspelt, and those which
  /// another one goes before.
  package var doubtfulKeys: [DoubtfulKey] {
    let nulls = facts.filter { meaninglessNulls.contains($0.path) }.map { DoubtfulKey(null: $0) }
    return nulls
      + unknownPaths.compactMap { path in
        let key = path.joined(separator: ".")
        if let fact = facts.first(where: { isNear(path, $0.path) }) {
          return DoubtfulKey(key, meant: fact)
        }
        return askedPaths.first { isNear(path, $0) }.map { DoubtfulKey(key, asked: $0) }
      }
      + overruled.map { path, other in
        DoubtfulKey(path, config.value(at: path), by: other, config.value(at: other))
      }
  }

  /// Whether a path is one letter away from another one, which the config does not have.
  private func isNear(_ path: [String], _ other: [String]) -> Bool {
    other.dropLast() == path.dropLast() && config.value(at: other) == nil
      && isOneEdit(path.last ?? "", from: other.last ?? "")
  }
}
