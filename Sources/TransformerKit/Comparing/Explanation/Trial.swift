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
  /// The model without it, or `nil` if it cannot have been made there.
  let undo: (Model) throws(CheckpointError) -> WeightGraph?

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
    return configTrials(model) + modules.tieTrials + modules.tableTrials + weights
      + modules.orderTrials + singles
  }
}

/// Trials with another config: the keys of all architectures, where they are there or have a default.
private func configTrials(_ model: Model) -> [Trial] {
  let config = model.graph.config
  var changes: [(key: String, value: JSONValue)] = []
  for key in ["hidden_act", "activation_function", "dense_act_fn"] where config[key] != nil {
    changes += Activation.allCases.map { (key, .string($0.rawValue)) }
  }
  for key in ["layer_norm_eps", "layer_norm_epsilon"] where config[key] != nil {
    changes += [1e-12, 1e-8, 1e-6, 1e-5, 1e-3].map { (key, .number($0)) }
  }
  for key in ["num_attention_heads", "n_head"] {
    guard let heads = config[key]?.int, heads > 0, heads < 1 << 16 else { continue }
    changes += (1...4 * heads).map { (key, .number($0)) }
  }
  let flags = [
    "is_decoder", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "scale_decoder_outputs",
    "tie_word_embeddings",
  ]
  for key in flags { changes += [(key, true), (key, false)] }
  for key in ["relative_attention_max_distance"] where config[key] != nil {
    changes += [64, 128, 256].map { (key, .number($0)) }
  }
  return changes.filter { config[$0.key] != $0.value }.map { change in
    Trial(place: "config", mistake: "\(change.key) should be \(change.value.text())", paths: nil) {
      model throws(CheckpointError) in
      let others = (config.members ?? []).filter { $0.key != change.key }
      let changed = JSONValue.object(others + [JSONValue.Member(change.key, change.value)])
      // A config that does not fit the weights is no explanation.
      return try? WeightGraph(model.checkpoint.tensors, config: changed)
    }
  }
}
