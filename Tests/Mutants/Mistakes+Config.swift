import Models
import TensorCore

/// A config that says something else than the weights were trained with: another value of each fact on
/// which outputs depend, the usual ways to get one wrong among them.
let configMistakes: [Plant] = [
  facts { ground, fact in
    guard let value = ground.otherValue(of: fact) else { return nil }
    return ("wrong \(fact.name ?? fact.key)", value)
  },
  facts { ground, fact in
    guard fact.mayBeNull, fact.value != .null, fact.value.elements == nil, !ground.isImplied(fact)
    else { return nil }
    return ("\(fact.name ?? fact.key) lost", .null)
  },
  facts { _, fact in
    guard fact.path.last == "rope_type", fact.value != "default" else { return nil }
    return ("rotary scaling lost", "default")
  },
  nextTo(1, "greater"), nextTo(-1, "less"),
  facts { _, fact in
    // The first layer was taken for the second.
    guard case .choices = fact.kind, let list = fact.value.elements, list.count > 1 else {
      return nil
    }
    return (
      "\(fact.name ?? fact.key) moved by one", .array(Array(list.suffix(1) + list.dropLast()))
    )
  },
  Plant({ ground in lists(ground).count > 1 ? ["lists"] : [] }) { ground, _ in
    let lists = lists(ground)
    guard lists[0].value.elements?.count == lists[1].value.elements?.count,
      lists[0].value != lists[1].value
    else { return nil }
    let keys = lists.prefix(2).map { $0.name ?? $0.key }
    var mutant = Mutant("\(keys[0]) and \(keys[1]) exchanged", at: "config")
    mutant.config = [(lists[0].path, lists[1].value), (lists[1].path, lists[0].value)]
    mutant.pair = [Mutant.Expected("config", keys[0])]
    mutant.golden = [Mutant.Expected("config", "\(lists[0].key) and \(lists[1].key) exchanged")]
    return mutant
  },
]

@Sendable private func lists(_ ground: Ground) -> [ConfigFact] {
  ground.graph.facts.filter { $0.name != nil && $0.kind == .numbers && $0.value != .null }
}

/// A mistake in each fact that outputs depend on, if it can be made there.
private func facts(
  _ plant: @escaping @Sendable (inout Ground, ConfigFact) -> (kind: String, value: JSONValue)?
) -> Plant {
  Plant(
    { ground in ground.graph.facts.filter { $0.name != nil }.map(\.key) }, isForAll: true
  ) { ground, key in
    guard let fact = ground.graph.facts.first(where: { $0.key == key }), let name = fact.name,
      ground.matters(fact), let (kind, value) = plant(&ground, fact), isReached(fact, value)
    else { return nil }
    var mutant = Mutant(kind, at: "config.\(key)")
    mutant.config = [(fact.path, value)]
    mutant.pair = [Mutant.Expected("config", name)]
    mutant.golden = [Mutant.Expected("config", key)]
    if name.contains("clip") || name.contains("limit") {
      mutant.slack = "nothing may be as large as either bound"
    }
    return mutant
  }
}

/// Whether texts that are run show a difference: windows are gone beyond up to 4096 keys.
private func isReached(_ fact: ConfigFact, _ value: JSONValue) -> Bool {
  guard fact.path.last == "sliding_window" else { return true }
  return min(fact.value.int ?? .max, value.int ?? .max) <= 4096
}

/// A number that may be off by one, as a window is whose own key does not count.
private func nextTo(_ amount: Int, _ word: String) -> Plant {
  facts { _, fact in
    guard case .count(let range, let usual) = fact.kind, let number = fact.value.int,
      usual.contains(number + amount), range.contains(number + amount)
    else { return nil }
    return ("\(fact.name ?? fact.key) \(word) by one", .number(number + amount))
  }
}

extension Ground {
  /// Whether outputs depend on a fact in this model: a single pair turns as fast whatever the base is.
  fileprivate func matters(_ fact: ConfigFact) -> Bool {
    guard fact.name?.hasSuffix("rope_theta") == true else { return true }
    return graph.layers.values.contains { ($0.attention?.rotary?.size ?? 0) > 2 }
  }

  /// Whether a fact of yarn is what is taken where it is not said, so that nothing is lost with it: a factor that the
  /// numbers of positions make, 32 and 1 turns (transformers: modeling_rope_utils.py).
  fileprivate func isImplied(_ fact: ConfigFact) -> Bool {
    if fact.path.last == "beta_fast" { return fact.value.double == 32 }
    if fact.path.last == "beta_slow" { return fact.value.double == 1 }
    let trained = graph.facts.first { $0.path.last == "original_max_position_embeddings" }
    guard fact.path.last == "factor", let factor = fact.value.double,
      let original = trained?.value.double,
      let longest = graph.config["max_position_embeddings"]?.double
    else { return false }
    return factor == longest / original
  }

  /// A wrong value of a fact that a model with these weights could have, by the fact's kind; `nil` where
  /// what is wrong depends on the inputs, or would be another model.
  fileprivate mutating func otherValue(of fact: ConfigFact) -> JSONValue? {
    func one(of values: [JSONValue]) -> JSONValue? {
      let others = values.filter { $0 != fact.value }
      return others.isEmpty ? nil : others[dice.below(others.count)]
    }
    switch fact.kind {
    case .flag: return one(of: [true, false])
    case .choice(let names):
      // Of activations those that differ wherever a value is.
      let clear = names.filter(["gelu", "gelu_new", "relu", "silu"].contains)
      // A scaling without its numbers is none, and so is this one with the usual factor.
      if fact.path.last == "rope_type", fact.value == "default" { return nil }
      let names = names.filter { $0 != "proportional" }
      return one(of: (clear.isEmpty ? names : clear).map { .string($0) })
    case .number(let usual):
      let near = [2, 0.5].compactMap { factor in fact.value.double.map { factor * $0 } }
      return one(of: (usual.isEmpty ? near : usual).map { .double($0) })
    case .count(_, let usual) where !usual.isEmpty: return one(of: usual.map { .number($0) })
    case .count(let range, _):
      // What divides heads must divide what the heads share.
      guard let number = fact.value.int else { return nil }
      return one(of: [2 * number, number / 2].filter(range.contains).map { .number($0) })
    case .choices(let names):
      // One layer of another type.
      guard var elements = fact.value.elements, !elements.isEmpty else { return nil }
      let place = dice.below(elements.count)
      let others = names.map { JSONValue.string($0) }.filter { $0 != elements[place] }
      guard let other = others.first else { return nil }
      elements[place] = other
      return .array(elements)
    case .numbers:
      guard let elements = fact.value.elements, elements.count > 1 else { return nil }
      return .array(Array(elements.suffix(1) + elements.dropLast()))
    case .tokens, .modelClass, .other: return nil
    }
  }
}
