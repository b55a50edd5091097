/// What was done to weights that training does not do, each once, though it shows in several weights.
struct Mistakes {
  /// In the order in which they were found.
  private(set) var all: [Mistake] = []
  /// The weights that they explain.
  private(set) var paths: Set<String> = []

  /// Adds one, or its weight to the same one of the same layer: a bias to its matrix.
  mutating func add(_ mistake: Mistake) {
    paths.formUnion(mistake.paths)
    for index in all.indices.reversed() {
      if let whole = all[index].joined(mistake) {
        all[index] = whole
        return
      }
    }
    all.append(mistake)
  }
}

/// What was done to a weight, or to a module.
struct Mistake {
  /// The weight, or the module.
  let place: String
  /// What was done, with the place of the other weight where there is one.
  let text: String
  /// The weights that it explains.
  let paths: [String]
  /// Another weight that it is about.
  private let other: String?

  /// - Parameters:
  ///   - paths: the weights that it explains; the one at the place, if they are not given.
  ///   - other: another weight that the text names.
  init(_ place: String, _ text: String, _ paths: [String]? = nil, other: String? = nil) {
    (self.place, self.text, self.other) = (place, text, other)
    self.paths = paths ?? [place]
  }

  /// Both as one, if they are the same done to weights of one layer; `nil` if they are not.
  fileprivate func joined(_ next: Mistake) -> Mistake? {
    if place == next.place, text == next.text {
      return Mistake(place, text, paths + next.paths, other: other)
    }
    let (own, end) = (divided(place), divided(next.place))
    guard own.layer == end.layer, kind == next.kind, isAlikeThere, next.isAlikeThere else {
      return nil
    }
    let ends = "{\(own.end),\(end.end)}"
    guard let other else {
      return Mistake("\(own.layer).\(ends)", text, paths + next.paths)
    }
    let there = "\(divided(other).layer).\(ends)"
    return Mistake(
      "\(own.layer).\(ends)", text.replacing(other, with: there), paths + next.paths, other: there)
  }

  /// What was done, without what is of one weight of a layer alone.
  private var kind: String { other.map { text.replacing($0, with: divided($0).layer) } ?? text }

  /// Whether another weight is there what this one is here.
  private var isAlikeThere: Bool { other.map { divided($0).end == divided(place).end } ?? true }
}

/// The layer of a weight, and what it is there, perhaps of several `{weight,bias}`.
private func divided(_ path: String) -> (layer: String, end: String) {
  let parts = path.split(separator: ".")
  let end = (parts.last ?? "").filter { $0 != "{" && $0 != "}" }
  return (parts.dropLast().joined(separator: "."), end)
}
