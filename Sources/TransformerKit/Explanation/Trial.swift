import Containers
import Kernels
import Models
import TensorCore

/// A known mistake, undone: what a model would be if it had been made.
struct Trial {
  /// The mistake: `encoder.blocks.*.attention.query.weight: transposed`.
  let text: String
  /// Whether undoing it leaves a rounding in the weights' own type.
  var isRounded = false
  /// The model without it, or `nil` if it cannot have been made there.
  let undo: (Model) throws(CheckpointError) -> WeightGraph?

  /// The mistakes that can have been made in a model: in all layers at once first, then in single
  /// ones.
  static func all(for model: Model) -> [Trial] {
    let modules = Modules(model.graph)
    let weights = modules.groups.flatMap { modules.trials(in: $0) }
    let singles = modules.groups.filter { $0.stems.count > 1 }
      .flatMap { group in group.stems.map { Modules.Group(name: $0, stems: [$0]) } }
      .flatMap { modules.trials(in: $0) }
    return configTrials(model) + modules.tableTrials + weights + modules.orderTrials + singles
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
    Trial(text: "config: \(change.key) should be \(change.value.text())") {
      model throws(CheckpointError) in
      let others = (config.members ?? []).filter { $0.key != change.key }
      let changed = JSONValue.object(others + [JSONValue.Member(change.key, change.value)])
      // A config that does not fit the weights is no explanation.
      return try? WeightGraph(model.checkpoint.tensors, config: changed)
    }
  }
}

/// The modules of a model, by what they are in all layers.
private struct Modules {
  /// Modules of the same kind, one a layer: `encoder.blocks.*.attention`.
  struct Group {
    let name: String
    let stems: [String]
  }

  private let graph: WeightGraph
  private let paths: Set<String>
  private let headSize: Int?
  let groups: [Group]

  init(_ graph: WeightGraph) {
    self.graph = graph
    paths = Set(graph.slots.map(\.path))
    headSize = graph.architecture.dimensions["head_size"]
    var order: [String] = []
    var stems: [String: [String]] = [:]
    for slot in graph.slots {
      var parts = slot.path.split(separator: ".").map(String.init)
      // The module of the weight, and the one around it.
      for _ in 0..<2 where parts.count > 1 {
        parts.removeLast()
        let stem = parts.joined(separator: ".")
        let name = starred(stem)
        if stems[name] == nil { order.append(name) }
        if stems[name]?.contains(stem) != true { stems[name, default: []].append(stem) }
      }
    }
    groups = order.map { Group(name: $0, stems: stems[$0] ?? []) }
  }

  // MARK: In a module, or the same one of all layers

  func trials(in group: Group) -> [Trial] {
    var trials: [Trial] = []
    func edit(
      _ text: String, _ names: [String],
      _ change: @escaping (Tensor) throws(CheckpointError) -> Tensor
    ) {
      let affected = group.stems.flatMap { stem in names.map { stem + $0 } }
      guard affected.allSatisfy(paths.contains) else { return }
      trials.append(
        Trial(text: text) { model throws(CheckpointError) in
          try edited(model.graph, affected, change)
        })
    }
    let weight = group.stems[0] + ".weight"
    if let shape = graph.tensor(at: weight)?.shape, shape.count == 2, shape[0] == shape[1] {
      edit("\(group.name).weight: transposed", [".weight"]) {
        tensor throws(CheckpointError) in try tensor.transposed()
      }
    }
    trials += exchanges(in: group)
    if paths.contains(group.stems[0] + ".query.weight") { trials += headTrials(in: group) }
    return trials
  }

  /// Two parts of a module that are alike, exchanged.
  private func exchanges(in group: Group) -> [Trial] {
    let pairs = [
      ("query", "key"), ("key", "value"), ("query", "value"), ("gate", "up"), ("weight", "bias"),
      ("attention_norm", "feed_forward_norm"), ("attention_norm", "cross_attention_norm"),
    ]
    return pairs.compactMap { a, b in
      let swaps = group.stems.flatMap { stem in
        ["", ".weight", ".bias"].map { ("\(stem).\(a)\($0)", "\(stem).\(b)\($0)") }
          .filter { paths.contains($0.0) && paths.contains($0.1) }
      }
      guard !swaps.isEmpty else { return nil }
      return Trial(text: "\(group.name): \(a) and \(b) exchanged") {
        model throws(CheckpointError) in exchanged(model.graph, swaps)
      }
    }
  }

  /// Heads of an attention module in another order.
  private func headTrials(in group: Group) -> [Trial] {
    guard let size = headSize, size > 1,
      let width = graph.tensor(at: group.stems[0] + ".query.weight")?.shape[0]
    else { return [] }
    let (heads, half) = (width / size, size / 2)
    func transposed(_ i: Int) -> Int { i % size * heads + i / size }
    var trials: [Trial] = []
    // A converter that gets it wrong may do so with or without the biases.
    for endings in [[".weight", ".bias"], [".weight"]] {
      func reorder(_ text: String, _ parts: [String], _ order: @escaping (Int) -> Int) {
        let affected = group.stems.flatMap { stem in
          parts.flatMap { part in endings.map { "\(stem).\(part)\($0)" } }
        }.filter(paths.contains)
        trials.append(
          Trial(text: "\(group.name): \(text)") { model throws(CheckpointError) in
            try edited(model.graph, affected) { tensor throws(CheckpointError) in
              try tensor.reordered(axis: 0, order)
            }
          })
      }
      if heads > 1 {
        let all = ["query", "key", "value"]
        for parts in [all] + all.map({ [$0] }) {
          let names = parts.joined(separator: ", ")
          reorder("heads of \(names) in the wrong order", parts, transposed)
        }
      }
      if size.isMultiple(of: 2), size > 2 {
        reorder("heads of query and key interleaved", ["query", "key"]) {
          $0 / size * size + $0 % half * 2 + $0 % size / half
        }
        reorder("heads of query and key split in halves", ["query", "key"]) {
          $0 / size * size + $0 % 2 * half + $0 % size / 2
        }
      }
      trials += scaleTrials(in: group, endings: endings, root: Double(size).squareRoot())
    }
    let outputs = group.stems.map { $0 + ".output.weight" }
    trials.append(
      Trial(text: "\(group.name).output: heads in the wrong order") {
        model throws(CheckpointError) in
        try edited(model.graph, outputs) { tensor throws(CheckpointError) in
          try tensor.reordered(axis: 1, transposed)
        }
      })
    return trials
  }

  /// The scale of the scores folded into the queries, or taken out of them.
  private func scaleTrials(in group: Group, endings: [String], root: Double) -> [Trial] {
    let queries = group.stems.flatMap { stem in endings.map { "\(stem).query\($0)" } }
      .filter(paths.contains)
    return [(root, "divided"), (1 / root, "multiplied")].map { undo, text in
      Trial(
        text: "\(group.name).query: \(text) by the root of the head size", isRounded: true
      ) { model throws(CheckpointError) in
        try edited(model.graph, queries) { tensor throws(CheckpointError) in
          try tensor.scaled(by: undo)
        }
      }
    }
  }

  // MARK: Tables and layers

  /// Rows of embedding tables in the wrong place.
  var tableTrials: [Trial] {
    var trials: [Trial] = []
    for slot in graph.slots where slot.role == .embedding && slot.shape.count == 2 {
      let count = slot.shape[0]
      let offsets = slot.path.contains("word") ? [] : [1, -1]
      for offset in offsets where count > 1 {
        trials.append(
          Trial(text: "\(slot.path): rows moved by \(offset)") { model throws(CheckpointError) in
            try edited(model.graph, [slot.path]) { tensor throws(CheckpointError) in
              try tensor.reordered(axis: 0) { ($0 + offset + count) % count }
            }
          })
      }
    }
    return trials
  }

  /// Layers in the wrong order: as their numbers sort as text, or two neighbours exchanged.
  var orderTrials: [Trial] {
    groups.filter { $0.name.hasSuffix(".blocks.*") && $0.stems.count > 1 }.flatMap { group in
      let count = group.stems.count
      let prefix = String(group.name.dropLast())
      let byText = (0..<count).map(String.init).sorted().compactMap { Int($0) }
      func trial(_ text: String, _ order: [Int]) -> Trial {
        Trial(text: "\(group.name): \(text)") { model throws(CheckpointError) in
          relayered(model.graph, prefix: prefix, order: order)
        }
      }
      var trials = [trial("layers in the order of their numbers as text", byText.inverted)]
      for index in 0..<count - 1 {
        var order = Array(0..<count)
        order.swapAt(index, index + 1)
        trials.append(trial("layers \(index) and \(index + 1) exchanged", order))
      }
      return trials
    }
  }
}

extension [Int] {
  /// The permutation that undoes this one.
  fileprivate var inverted: [Int] {
    var result = self
    for (index, value) in enumerated() { result[value] = index }
    return result
  }
}

// MARK: Editing

private func edited(
  _ graph: WeightGraph, _ paths: [String],
  _ change: (Tensor) throws(CheckpointError) -> Tensor
) throws(CheckpointError) -> WeightGraph {
  var weights: [String: Tensor] = [:]
  for path in paths {
    guard let tensor = graph.tensor(at: path) else { continue }
    weights[path] = try change(tensor)
  }
  return graph.replacing(weights)
}

private func exchanged(_ graph: WeightGraph, _ pairs: [(String, String)]) -> WeightGraph? {
  var weights: [String: Tensor] = [:]
  for (a, b) in pairs {
    guard let x = graph.tensor(at: a), let y = graph.tensor(at: b), x.shape == y.shape else {
      return nil
    }
    weights[a] = y
    weights[b] = x
  }
  return graph.replacing(weights)
}

private func relayered(_ graph: WeightGraph, prefix: String, order: [Int]) -> WeightGraph? {
  var weights: [String: Tensor] = [:]
  for slot in graph.slots where slot.path.hasPrefix(prefix) {
    let rest = slot.path.dropFirst(prefix.count)
    guard let dot = rest.firstIndex(of: "."), let layer = Int(rest[..<dot]),
      let tensor = graph.tensor(at: "\(prefix)\(order[layer])\(rest[dot...])"),
      tensor.shape == slot.shape
    else { return nil }
    weights[slot.path] = tensor
  }
  return graph.replacing(weights)
}
