/// What an ecosystem's own code computes whatever a config says. A model that computes something else
/// cannot be expressed there, although its weights have places.
///
/// Each is read off that code, which the dialect's comment names.
package struct Limit: Sendable {
  /// Something that is not the same, in words: what the model has, and what the code computes.
  package typealias Mismatch = (own: String, code: String)

  /// What it is about: `activation`.
  let subject: String
  /// How the model differs from the code, or `nil` if it does not.
  let mismatch: @Sendable (WeightGraph) -> Mismatch?

  package init(_ subject: String, mismatch: @escaping @Sendable (WeightGraph) -> Mismatch?) {
    self.subject = subject
    self.mismatch = mismatch
  }

  /// A fact of the mathematics, by its key, of which the code has one value.
  package static func fact(_ key: String, _ value: String) -> Limit {
    Limit(key) { graph in
      guard let own = graph.fact(key), own != value else { return nil }
      return ("\(own) in the config", value)
    }
  }

  /// The activations that the code knows, and what it makes of others: its `gelu` may be the tanh form.
  package static func activation(_ known: String..., making others: [String: String] = [:]) -> Limit
  {
    Limit("activation") { graph in
      guard let own = graph.fact("activation"), !known.contains(own) else { return nil }
      return ("\(own) in the config", others[own] ?? "not known")
    }
  }

  /// What only the architecture knows.
  package static func of<Model: Architecture>(
    _: Model.Type, _ subject: String, mismatch: @escaping @Sendable (Model) -> Mismatch?
  ) -> Limit {
    Limit(subject) { graph in (graph.architecture as? Model).flatMap(mismatch) }
  }
}

extension WeightGraph {
  /// What a dialect's own code computes otherwise than the model, a line each.
  public func inexpressible(in dialect: String) -> [String] {
    let dialects = families.dialects(of: type(of: architecture).name)
    guard let found = dialects.first(where: { $0.name == dialect || $0.fullName == dialect })
    else { return [] }
    return found.limits.compactMap { limit in
      limit.mismatch(self).map {
        "\(limit.subject) is \($0.own), and \($0.code) in the code of \(dialect)"
      }
    }
  }

  /// A fact of the mathematics.
  fileprivate func fact(_ key: String) -> String? {
    mathematics.first { $0.key == key }?.value
  }
}
