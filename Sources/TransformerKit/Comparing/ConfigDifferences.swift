import Models

/// The facts of the mathematics that are not the same, and with them what else cuts the same weights otherwise.
func configDifferences(_ a: WeightGraph, _ b: WeightGraph) -> [String] {
  let facts = [a, b].map { graph in
    Dictionary(graph.mathematics.map { ($0.key, $0.value) }) { first, _ in first }
  }
  let found = Set(facts[0].keys).union(facts[1].keys).sorted().compactMap { key in
    let (x, y) = (facts[0][key] ?? "none", facts[1][key] ?? "none")
    return x == y ? nil : "\(key): \(x) in A, \(y) in B"
  }
  if found.isEmpty { return [] }
  return found + otherCuts(a, b).map { "\($0.key): \($0.a) in A, \($0.b) in B" }
}

/// The sizes in two configs that are not the same although all weights have the same shapes: with another number of
/// heads, that of their keys or their size.
func otherCuts(_ a: WeightGraph, _ b: WeightGraph) -> [(key: String, a: String, b: String)] {
  let shapes = Dictionary(b.slots.map { ($0.path, $0.shape) }) { first, _ in first }
  guard a.slots.count == shapes.count, a.slots.allSatisfy({ shapes[$0.path] == $0.shape }) else {
    return []
  }
  let others = Dictionary(
    b.facts.filter { $0.bearing == .weights }.map { ($0.key, $0.text) }
  ) { first, _ in first }
  return a.facts.compactMap { fact in
    guard fact.bearing == .weights, let other = others[fact.key], other != fact.text else {
      return nil
    }
    return (fact.key, fact.text, other)
  }
}
