import Models
import TensorCore

/// The modules of a model, by what they are in all layers.
struct Modules {
  /// Modules of the same kind, one a layer: `encoder.blocks.*.attention`.
  struct Group {
    let name: String
    let stems: [String]
  }

  private let graph: WeightGraph
  private let paths: Set<String>
  let groups: [Group]

  init(_ graph: WeightGraph) {
    self.graph = graph
    paths = Set(graph.slots.map(\.path))
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
    matrixTrials(in: group) + normTrials(in: group) + exchanges(in: group)
      + headTrials(in: group) + halvedTrials(in: group)
  }

  /// A trial that changes the same weights of every module of a group, each for itself.
  private func edit(
    _ group: Group, _ mistake: String, at place: String = "", isRounded: Bool = false,
    _ names: [String], _ change: @escaping (Tensor) throws(CheckpointError) -> Tensor
  ) -> Trial {
    let affected = group.stems.flatMap { stem in names.map { stem + $0 } }.filter(paths.contains)
    return Trial(
      place: group.name + place, mistake: mistake, isRounded: isRounded, paths: affected
    ) { model throws(CheckpointError) in try edited(model.graph, affected, change) }
  }

  /// A trial that changes weights of several parts of every module of a group, each part in its way.
  private func edit(
    _ group: Group, _ mistake: String, _ parts: [(part: String, names: [String])],
    _ change: @escaping (_ part: String, Tensor) throws(CheckpointError) -> Tensor
  ) -> Trial {
    let affected = parts.map { part, names in
      (part, group.stems.flatMap { stem in names.map { stem + $0 } }.filter(paths.contains))
    }
    return Trial(place: group.name, mistake: mistake, paths: affected.flatMap(\.1)) {
      model throws(CheckpointError) in
      var graph = model.graph
      for (part, paths) in affected {
        graph = try edited(graph, paths) { tensor throws(CheckpointError) in
          try change(part, tensor)
        }
      }
      return graph
    }
  }

  /// A matrix that was transposed, or was not and should have been.
  private func matrixTrials(in group: Group) -> [Trial] {
    guard let shape = graph.tensor(at: group.stems[0] + ".weight")?.shape, shape.count == 2,
      graph.slots.first(where: { $0.path == group.stems[0] + ".weight" })?.role == .linear
    else { return [] }
    if shape[0] == shape[1] {
      return [
        edit(group, "transposed", at: ".weight", [".weight"]) { tensor throws(CheckpointError) in
          tensor.replacing(try ElementMatrix(tensor).transposed)
        }
      ]
    }
    let text = "given the other shape instead of being transposed"
    return [
      edit(group, text, at: ".weight", [".weight"]) { tensor throws(CheckpointError) in
        let matrix = try ElementMatrix(tensor)
        return tensor.replacing(
          matrix.reshaped(rows: matrix.columns, columns: matrix.rows).transposed)
      },
      edit(group, text, at: ".weight", [".weight"]) { tensor throws(CheckpointError) in
        tensor.replacing(try ElementMatrix(tensor).transposed)
      },
    ]
  }

  /// A gain that is stored less one in one ecosystem and whole in another.
  private func normTrials(in group: Group) -> [Trial] {
    guard graph.slots.first(where: { $0.path == group.stems[0] + ".weight" })?.role == .normWeight
    else { return [] }
    return [(1.0, "1 was subtracted"), (-1.0, "1 was added")].map { undo, text in
      edit(group, text, at: ".weight", isRounded: true, [".weight"]) {
        tensor throws(CheckpointError) in try tensor.mapping { $0 + undo }
      }
    }
  }

  /// Two parts of a module that are alike, exchanged.
  private func exchanges(in group: Group) -> [Trial] {
    let pairs = [
      ("query", "key"), ("key", "value"), ("query", "value"), ("gate", "up"), ("weight", "bias"),
      ("attention_norm", "feed_forward_norm"), ("attention_norm", "cross_attention_norm"),
      ("cross_attention_norm", "feed_forward_norm"), ("attention", "cross_attention"),
    ]
    return pairs.compactMap { a, b in
      let inner =
        ["", ".weight", ".bias"]
        + ["query", "key", "value", "output"].flatMap { [".\($0).weight", ".\($0).bias"] }
      let swaps = group.stems.flatMap { stem in
        inner.map { ("\(stem).\(a)\($0)", "\(stem).\(b)\($0)") }
          .filter { paths.contains($0.0) && paths.contains($0.1) }
      }
      guard !swaps.isEmpty else { return nil }
      return Trial(
        place: group.name, mistake: "\(a) and \(b) exchanged",
        paths: swaps.flatMap { [$0.0, $0.1] }
      ) { model throws(CheckpointError) in exchanged(model.graph, swaps) }
    }
  }

  /// Heads of attention modules that are alike in another order, or scaled.
  private func headTrials(in group: Group) -> [Trial] {
    guard let shape = graph.attention(at: group.stems[0]), shape.headSize > 1,
      group.stems.allSatisfy({ graph.attention(at: $0) == shape })
    else { return [] }
    var trials: [Trial] = []
    // A converter that gets it wrong may do so with or without the biases.
    for endings in [[".weight", ".bias"], [".weight"]] {
      func reorder(
        _ text: String, _ parts: [String], _ order: @escaping (_ part: String) -> (Int) -> Int
      ) {
        trials.append(
          edit(group, text, parts.map { part in (part, endings.map { ".\(part)\($0)" }) }) {
            part, tensor throws(CheckpointError) in try tensor.reordered(axis: 0, order(part))
          })
      }
      if shape.heads > 1 {
        let all = ["query", "key", "value"]
        for parts in [all] + all.map({ [$0] }) {
          let names = parts.joined(separator: ", ")
          reorder("heads of \(names) in the wrong order", parts) { shape.transposed($0) }
        }
        trials += fusedTrials(in: group, shape, endings: endings)
      }
      let order = shape.headOrder
      if order.hasPairs {
        for parts in [["query", "key"], ["query"], ["key"]] {
          let names = parts.joined(separator: " and ")
          reorder("heads of \(names) interleaved", parts) { _ in order.split }
          reorder("heads of \(names) split in halves", parts) { _ in order.interleaved }
        }
      }
      let root = Double(shape.headSize).squareRoot()
      for (undo, text) in [(root, "divided"), (1 / root, "multiplied")] {
        trials.append(
          edit(
            group, "\(text) by the root of the head size", at: ".query", isRounded: true,
            endings.map { ".query\($0)" }
          ) { tensor throws(CheckpointError) in try tensor.mapping { $0 * undo } })
      }
    }
    let outputs = edit(group, "heads in the wrong order", at: ".output", [".output.weight"]) {
      tensor throws(CheckpointError) in
      try tensor.reordered(axis: 1, shape.transposed("output"))
    }
    return trials + [outputs]
  }

  /// Query, key and value taken wrongly from a common matrix.
  private func fusedTrials(
    in group: Group, _ shape: AttentionShape, endings: [String]
  ) -> [Trial] {
    guard let fused = shape.fusedOrder else { return [] }
    let triples = group.stems.flatMap { stem in
      endings.map { ending in ["query", "key", "value"].map { "\(stem).\($0)\(ending)" } }
    }.filter { $0.allSatisfy(paths.contains) }
    return [
      ("query, key and value split part by part instead of head by head", fused.partByPart),
      ("query, key and value split head by head instead of part by part", fused.headByHead),
    ].map { text, order in
      Trial(place: group.name, mistake: text, paths: triples.flatMap(\.self)) {
        model throws(CheckpointError) in
        try refused(model.graph, triples.map { ($0, order) })
      }
    }
  }

  /// Gate and up taken wrongly from a common matrix.
  private func halvedTrials(in group: Group) -> [Trial] {
    let pairs = group.stems.map { stem in ["gate", "up"].map { "\(stem).\($0).weight" } }
    guard pairs.allSatisfy({ $0.allSatisfy(paths.contains) }),
      let rows = pairs.first.flatMap({ graph.tensor(at: $0[0]) })?.shape.first
    else { return [] }
    let halves = HalvedOrder(half: rows)
    return [
      ("gate and up by turns instead of as halves", halves.byTurns),
      ("gate and up as halves instead of by turns", halves.asHalves),
    ].map { text, order in
      Trial(place: group.name, mistake: text, paths: pairs.flatMap(\.self)) {
        model throws(CheckpointError) in
        try refused(model.graph, pairs.map { ($0, order) })
      }
    }
  }

  // MARK: Ties, tables and layers

  /// A head that should have been the embedding's matrix.
  var tieTrials: [Trial] {
    graph.slots.compactMap { slot in
      guard let tie = slot.tie, graph.ties[slot.path] == nil, paths.contains(tie) else {
        return nil
      }
      return Trial(place: slot.path, mistake: "should be tied to \(tie)", paths: [slot.path]) {
        model throws(CheckpointError) in
        guard let tensor = model.graph.tensor(at: tie), tensor.shape == slot.shape else {
          return nil
        }
        return model.graph.replacing([slot.path: tensor])
      }
    }
  }

  /// Rows of embedding tables in the wrong place.
  var tableTrials: [Trial] {
    var trials: [Trial] = []
    for slot in graph.slots where slot.role == .embedding && slot.shape.count == 2 {
      let count = slot.shape[0]
      for offset in [1, -1, 2, -2] where count > abs(offset) {
        let mistake = "rows moved by \(abs(offset)) \(offset < 0 ? "down" : "up")"
        trials.append(
          Trial(place: slot.path, mistake: mistake, paths: [slot.path]) {
            model throws(CheckpointError) in
            try edited(model.graph, [slot.path]) { tensor throws(CheckpointError) in
              try tensor.reordered(axis: 0) { ($0 - offset + count) % count }
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
        let moved = group.stems.filter { stem in
          Int(stem.dropFirst(prefix.count)).map { order[$0] != $0 } ?? false
        }
        let affected = paths.filter { path in moved.contains { path.hasPrefix($0 + ".") } }
        return Trial(place: group.name, mistake: text, paths: Array(affected)) {
          model throws(CheckpointError) in
          relayered(model.graph, prefix: prefix, order: order)
        }
      }
      var trials = [
        trial("layers in the order of their numbers as text", byText.inverted),
        trial("layers in reverse order", Array((0..<count).reversed())),
      ]
      for (first, second) in pairs(of: count) {
        var order = Array(0..<count)
        order.swapAt(first, second)
        trials.append(trial("layers \(first) and \(second) exchanged", order))
      }
      return trials
    }
  }

  /// All pairs of a few layers, neighbours of many.
  private func pairs(of count: Int) -> [(Int, Int)] {
    (0..<count).flatMap { first in
      (first + 1..<max(first + 1, count <= 12 ? count : min(first + 2, count)))
        .map { (first, $0) }
    }
  }
}

extension AttentionShape {
  /// Rows of a part (columns of the output) that stand place by place instead of head by head.
  fileprivate func transposed(_ part: String) -> (Int) -> Int {
    let (heads, size) = form(of: part)
    return { $0 % size * heads + $0 / size }
  }
}
