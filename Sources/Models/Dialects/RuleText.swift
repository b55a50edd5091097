import TensorCore

extension WeightGraph {
  /// The rules of the dialect by which the checkpoint's tensors are what they are, in the order of
  /// the dialect's table. Each is its own id: `DIALECT: STORED = LAYOUT`, as in
  /// `ARCHITECTURE/DIALECT: transformer.wte.weight = embeddings.word.weight`.
  ///
  /// A rule that means something else has another text, and so another id.
  public var rules: [String] {
    let forms = StoredForms(dialect, slots: ownSlots, dimensions: architecture.dimensions)
    var used: [String: Set<String>] = [:]
    for form in forms.forms {
      let names = Set(([form.name] + form.copies).flatMap(dialect.spellings))
      let stored = form.paths.lazy.compactMap { placements[$0]?.stored }.first {
        names.contains($0.name)
      }
      guard let stored else { continue }
      let layout = form.forms.firstIndex { $0.shape == stored.shape } ?? 0
      used[form.rule.stored, default: []].insert(form.rule.layouts[layout].expression)
    }
    let prefix = "\(dialect.architecture)/\(dialect.fullName): "
    var seen: Set<String> = []
    return dialect.rules.flatMap { rule in
      rule.layouts.map(\.expression).filter { used[rule.stored]?.contains($0) == true }
        .map { "\(prefix)\(rule.stored) = \($0)" }
    }.filter { seen.insert($0).inserted }
  }
}

extension Layout {
  /// The layout as a formula over canonical paths; docs/certificate.md defines it.
  package var expression: String {
    switch self {
    case .weight(let path): path
    case .transposed(let inner): "transpose(\(inner.expression))"
    case .joined(let parts, let axis):
      "join\(axis)(\(parts.map(\.expression).joined(separator: ", ")))"
    case .permuted(let inner, let axes):
      "permute(\(inner.expression), \(axes.map(String.init).joined(separator: ", ")))"
    case .stacked(let inner, "i", let axis): "stack\(axis)(\(inner.expression))"
    case .stacked(let inner, let hole, let axis): "stack\(axis)(\(inner.expression), \(hole))"
    case .repeated(let inner, let axis): "repeat\(axis)(\(inner.expression))"
    case .unit(let inner, let axis): "unit\(axis)(\(inner.expression))"
    case .divided(let inner, let axis, let size): "divide\(axis)(\(inner.expression), \(size))"
    case .merged(let inner, let axis): "merge\(axis)(\(inner.expression))"
    case .interleavedHeads(let inner, let axis, let size):
      "interleave\(axis)(\(inner.expression), \(size))"
    case .plus(let inner, let number): "add(\(inner.expression), \(number))"
    case .withoutLast(let inner, let axis): "withoutLast\(axis)(\(inner.expression))"
    case .withoutFirst(let inner, let name): "withoutFirst(\(inner.expression), \(name))"
    case .withZeros(let inner, let part, let count):
      "withZeros(\(inner.expression), \(part), \(count))"
    }
  }
}
