import TensorCore

/// A key of a config that seems to say something, and of which nothing was taken.
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
}

extension ConfigFact {
  /// What stands for what the config does not say, if there is something.
  fileprivate var assumed: String? {
    value == .null || value.elements?.isEmpty == true ? nil : value.text()
  }
}

extension ConfigReader {
  /// The keys that are null where that means nothing, and the unknown ones that seem to be misspelt.
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
  }

  /// Whether a path is one letter away from another one, which the config does not have.
  private func isNear(_ path: [String], _ other: [String]) -> Bool {
    other.dropLast() == path.dropLast() && config.value(at: other) == nil
      && isOneEdit(path.last ?? "", from: other.last ?? "")
  }
}
