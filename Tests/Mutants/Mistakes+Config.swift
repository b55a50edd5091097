import Models
import TensorCore

/// A config that says something else than the weights were trained with: another value of each fact on
/// which outputs depend.
let configMistakes: [Plant] = [
  Plant({ ground in ground.graph.facts.filter { $0.name != nil }.map(\.key) }) { ground, key in
    guard let fact = ground.graph.facts.first(where: { $0.key == key }), let name = fact.name,
      let value = ground.otherValue(of: fact)
    else { return nil }
    var mutant = Mutant("wrong \(name)", at: "config.\(key)")
    mutant.config = [(fact.path, value)]
    mutant.pair = [Mutant.Expected("config", name)]
    mutant.golden = [Mutant.Expected("config", key)]
    return mutant
  }
]

extension Ground {
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
      return one(of: (clear.isEmpty ? names : clear).map { .string($0) })
    case .number(let usual): return one(of: usual.map { .double($0) })
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
    case .numbers, .tokens, .modelClass, .other: return nil
    }
  }
}
