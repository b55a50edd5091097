import CommandSupport
import Models
import TensorCore
import TransformerKit

/// What two models have that is no part of what is compared, each tensor once.
struct PairExtras {
  /// The tensors' names.
  let names: [String]
  /// A line a tensor: which of the models has it, and what it is no part of.
  let lines: [String]

  init(_ a: Model, _ b: Model) {
    let reasons = [a, b].map { model in
      Dictionary(model.graph.extras.map { ($0.name.text, $0.reason) }) { first, _ in first }
    }
    names = Set(reasons.flatMap(\.keys)).sorted()
    lines = names.map { name in
      let found = reasons.map { $0[name] }
      let models = zip(["A", "B"], found).filter { $1 != nil }.map(\.0)
      let reason = found.compactMap(\.self).first ?? ""
      return "left out \(escaped(name)) of \(models.joined(separator: " and ")): \(reason)"
    }
  }
}
