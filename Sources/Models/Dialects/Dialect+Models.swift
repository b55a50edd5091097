package import TensorCore

/// A model inside another one, as a dialect sees it.
package struct DialectPart: Sendable {
  /// The canonical name of its module, and what stored names begin with there, each without a dot.
  let path: String
  let stored: String
  /// Its own dialect, and the class that its names are written for.
  let dialect: Dialect
  let className: String

  /// Describes a part that has the same name there and here, unless told otherwise, and is of the architecture that a
  /// config's object describes; `nil` if it is none that we know.
  ///
  /// - Parameters:
  ///   - key: of the object; the name if `nil`.
  ///   - stored: what stored names begin with; the name if `nil`.
  package init?(
    _ name: String, at key: String? = nil, storedAs stored: String? = nil, as part: ModelPart,
    in config: JSONValue, dialect: String, among families: [Family]
  ) {
    guard let type = config[key ?? name]?["model_type"]?.string,
      let className = families.architectures.first(where: { $0.name == type })?
        .className(as: part),
      let dialect = families.dialects(of: type).first(where: { $0.name == dialect })
    else { return nil }
    (path, self.stored) = (name, stored ?? name)
    (self.dialect, self.className) = (dialect, className)
  }

  /// What its stored names begin with, and may begin with instead: its class writes a prefix, or does not.
  var otherBeginnings: [(other: String, usual: String)] {
    dialect.prefixes.filter(\.isInRules).map { prefix in
      let (bare, prefixed) = (stored + ".", stored + "." + prefix.text)
      return prefix.isWritten(className) ? (bare, prefixed) : (prefixed, bare)
    }
  }

  /// Its rules as those of the larger model.
  var rules: [Rule] {
    dialect.rules.map { rule in
      var outer = rule
      outer.stored = stored + "." + dialect.writtenName(rule.stored, head: className)
      outer.copies = rule.copies.map { stored + "." + dialect.writtenName($0, head: className) }
      outer.layouts = rule.layouts.map { $0.inside(path) }
      outer.onlyWith = rule.onlyWith.map(inside)
      outer.onlyWithout = rule.onlyWithout.map(inside)
      outer.onlyHaving = rule.onlyHaving.map(inside)
      outer.onlyLacking = rule.onlyLacking.map(inside)
      if case .unlessTied(let other) = rule.writesTie {
        outer.writesTie = .unlessTied(inside(other))
      }
      return outer
    }
  }

  private func inside(_ name: String) -> String { path + "." + name }
}

extension Layout {
  /// The same layout of weights, and dimensions, of a model inside another one.
  fileprivate func inside(_ model: String) -> Layout {
    switch self {
    case .weight(let path): .weight(model + "." + path)
    case .transposed(let inner): .transposed(inner.inside(model))
    case .joined(let parts, let axis): .joined(parts.map { $0.inside(model) }, axis: axis)
    case .permuted(let inner, let axes): .permuted(inner.inside(model), axes: axes)
    case .stacked(let inner, let hole, let axis):
      .stacked(inner.inside(model), over: hole, axis: axis)
    case .repeated(let inner, let axis): .repeated(inner.inside(model), axis: axis)
    case .unit(let inner, let axis): .unit(inner.inside(model), axis: axis)
    case .divided(let inner, let axis, let name):
      .divided(inner.inside(model), axis: axis, inner: model + "." + name)
    case .merged(let inner, let axis): .merged(inner.inside(model), axis: axis)
    case .interleavedHeads(let inner, let axis, let size):
      .interleavedHeads(inner.inside(model), axis: axis, size: model + "." + size)
    case .plus(let inner, let number): .plus(inner.inside(model), number)
    case .withoutLast(let inner, let axis): .withoutLast(inner.inside(model), axis: axis)
    case .withoutFirst(let inner, let name):
      .withoutFirst(inner.inside(model), rows: model + "." + name)
    case .withZeros(let inner, let part, let count):
      .withZeros(inner.inside(model), part: part, of: count)
    }
  }
}
