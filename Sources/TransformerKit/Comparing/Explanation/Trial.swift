import Containers
import Kernels
import Models
import TensorCore

/// A known mistake, undone: what a model would be if it had been made.
struct Trial {
  /// Where: a module or weight, with `*` for all layers, or `config`.
  let place: String
  /// What was done there: `transposed`.
  let mistake: String
  /// Whether undoing it leaves a rounding in the weights' own type.
  var isRounded = false
  /// The weights that undoing it changes; `nil` for what is not a matter of weights.
  let paths: [String]?
  /// What it has in common with the same mistake elsewhere, if several ways to undo it have one text.
  var way = 0
  /// The model without it, or `nil` if it cannot have been made there.
  let undo: (WeightGraph) throws(CheckpointError) -> WeightGraph?

  /// The mistake in words: `encoder.blocks.*.attention.query.weight: transposed`.
  var text: String { "\(place): \(mistake)" }

  /// The mistakes that can have been made in a model: in all layers at once first, then in single
  /// ones.
  static func all(for model: Model) -> [Trial] {
    let modules = Modules(model.graph)
    let weights = modules.groups.flatMap { modules.trials(in: $0) }
    let singles = modules.groups.filter { $0.stems.count > 1 }
      .flatMap { group in group.stems.map { Modules.Group(name: $0, stems: [$0]) } }
      .flatMap { modules.trials(in: $0) }
    let layers = modules.layerGroups.flatMap { modules.trials(in: $0) }
    return configTrials(model) + modules.tieTrials + modules.tableTrials + modules.normTrials
      + modules.ownMatrixTrials
      + weights + modules.orderTrials + layers + singles
  }

  /// The same mistake in several places at once.
  static func together(for model: Model) -> [Trial] {
    let modules = Modules(model.graph)
    let weights = modules.groups.flatMap { modules.trials(in: $0) }
    return modules.matricesTrials(weights)
      + (modules.tableTrials + modules.orderTrials + weights).together
  }
}
