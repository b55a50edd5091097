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
  return (onOutputs + onWeights).flatMap { fact in
    fact.otherValues.map { value in trial(model, fact, value) }
  }
}

private func trial(_ model: Model, _ fact: ConfigFact, _ value: JSONValue) -> Trial {
  Trial(place: "config", mistake: "\(fact.key) should be \(value.text())", paths: nil) {
    model throws(CheckpointError) in
    let changed = model.graph.config.setting(fact.path, to: value)
    // A config that does not fit the weights is no explanation.
    return try? model.graph.understood(with: changed, model.plain.tensors)
  }
}

extension ConfigFact {
  /// What it may have been in the framework, by its kind.
  fileprivate var otherValues: [JSONValue] {
    let values: [JSONValue]
    switch kind {
    case .flag: values = [true, false]
    case .choice(let names): values = names.map { .string($0) }
    case .number(let usual): values = usual.isEmpty ? nearbyNumbers : usual.map { .number($0) }
    case .count(let range, let usual):
      values = counts(usual).filter(range.contains).map { .number($0) }
    // Which token, class or list it was is a wide field, and outputs of another class cannot be compared.
    case .choices, .numbers, .tokens, .modelClass, .other: values = []
    }
    return values.filter { $0 != value }
  }

  /// Of a small number, all up to four times as much.
  private func counts(_ usual: [Int]) -> [Int] {
    guard let number = value.int else { return usual }
    if !usual.isEmpty { return usual }
    if number < 1 << 8 { return Array(0...4 * max(1, number)) }
    return [number / 2, number - 1, number + 1] + (number < 1 << 40 ? [2 * number] : [])
  }

  /// A factor that was left out or taken twice.
  private var nearbyNumbers: [JSONValue] {
    guard let number = value.double, number != 0 else { return [] }
    return [0.5, 2].map { .number($0 * number) }
  }
}
