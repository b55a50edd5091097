import Codecs
import Containers
import Models
import TensorCore

/// Trials with another config: other values of what the architecture has read from it. What shows in
/// shapes and is no truth value cannot be wrong in a model that fits its config.
func configTrials(_ model: Model) -> [Trial] {
  let facts = model.graph.facts
  let onOutputs = facts.filter { $0.name != nil }
  let onWeights = facts.filter { $0.bearing == .weights && $0.kind == .flag }
  let others = (onOutputs + onWeights).flatMap { fact in
    fact.otherValues.map { value in trial(model, fact, value) }
  }
  return others + everywhere(model, onOutputs)
    + exchangedLists(model, onOutputs.filter { $0.kind == .numbers })
}

/// A key that stands in several objects with one value, and should have another one in all of them.
private func everywhere(_ model: Model, _ facts: [ConfigFact]) -> [Trial] {
  var order: [String] = []
  var places: [String: [ConfigFact]] = [:]
  for fact in facts {
    guard fact.path.count > 1, let key = fact.path.last else { continue }
    let kind = "\(key) \(fact.value.text())"
    if places[kind] == nil { order.append(kind) }
    places[kind, default: []].append(fact)
  }
  return order.flatMap { kind -> [Trial] in
    guard let all = places[kind], let first = all.first, all.count > 1,
      all.allSatisfy({ $0.kind == first.kind })
    else { return [] }
    let key = all.map(\.key).listed
    return first.otherValues.map { value in
      Trial(place: "config", mistake: "\(key) should be \(value.text())", paths: nil) {
        _ throws(CheckpointError) in model.with(all.map { ($0.path, value) })
      }
    }
  }
}

private func trial(_ model: Model, _ fact: ConfigFact, _ value: JSONValue) -> Trial {
  Trial(place: "config", mistake: "\(fact.key) should be \(value.text())", paths: nil) {
    _ throws(CheckpointError) in model.with([(fact.path, value)])
  }
}

/// Two lists of numbers that stand for each other.
private func exchangedLists(_ model: Model, _ facts: [ConfigFact]) -> [Trial] {
  facts.enumerated().flatMap { index, first in
    facts.dropFirst(index + 1).filter {
      $0.value.elements?.count == first.value.elements?.count
    }.map { second in
      Trial(
        place: "config", mistake: "\(first.key) and \(second.key) exchanged", paths: nil
      ) { _ throws(CheckpointError) in
        model.with([(first.path, second.value), (second.path, first.value)])
      }
    }
  }
}

extension Model {
  /// The model with other values in its config, or `nil` if these do not fit the weights: then they are no
  /// explanation.
  func with(_ values: [(path: [String], value: JSONValue)]) -> WeightGraph? {
    let config = values.reduce(graph.config) { $0.setting($1.path, to: $1.value) }
    return try? graph.understood(with: config, plain.tensors)
  }
}

extension ConfigFact {
  /// What it may have been in the framework, by its kind.
  fileprivate var otherValues: [JSONValue] {
    var values: [JSONValue]
    switch kind {
    case .flag: values = [true, false]
    case .choice(let names): values = names.map { .string($0) }
    case .number(let usual): values = (usual + nearbyNumbers).map { .number($0) }
    case .count(let range, let usual):
      values = counts(usual).filter(range.contains).map { .number($0) }
    case .choices(let names): values = lists(of: names).map { .array($0.map { .string($0) }) }
    // Which token or class it was is a wide field, and outputs of another class cannot be compared.
    case .numbers, .tokens, .modelClass, .other: values = []
    }
    if mayBeNull { values.append(.null) }
    var seen: Set<String> = [value.text()]
    return values.filter { seen.insert($0.text()).inserted }
  }

  /// Of a small number, all up to four times as much; of a large one, and of none, what is near and powers of two.
  private func counts(_ usual: [Int]) -> [Int] {
    let powers = (2...17).map { 1 << $0 }
    guard let number = value.int else { return usual + Array(1...8) + powers }
    if usual.isEmpty, number < 1 << 8 { return Array(0...4 * max(1, number)) }
    let near = [number / 2, number - 1, number + 1] + (number < 1 << 40 ? [2 * number] : [])
    return usual + near + (usual.isEmpty ? [] : powers)
  }

  /// A factor that was left out or taken twice.
  private var nearbyNumbers: [Double] {
    guard let number = value.double, number != 0 else { return [] }
    return [0.5 * number, 2 * number, 1, 1 / number]
  }

  /// Of a list of names: one of them another one, all of them the same, all of them one further, or one in so
  /// many another one than the rest.
  private func lists(of names: [String]) -> [[String]] {
    let list = (value.elements ?? []).compactMap(\.string)
    guard list.count == value.elements?.count, list.count > 0, list.count <= 256 else { return [] }
    func others(_ name: String) -> [String] { names.filter { $0 != name } }
    let single = list.indices.flatMap { place in
      others(list[place]).map { other in
        list.enumerated().map { $0.offset == place ? other : $0.element }
      }
    }
    let moved = [list.suffix(1) + list.dropLast(), list.dropFirst() + list.prefix(1)].map(
      Array.init)
    let patterns = names.flatMap { name in
      others(name).flatMap { other in
        (2...8).flatMap { period in
          (0..<period).map { phase in
            list.indices.map { $0 % period == phase ? name : other }
          }
        }
      }
    }
    return names.map { Array(repeating: $0, count: list.count) } + moved + single + patterns
  }
}
