import Models
import TensorCore

/// The modules of a model, by what they are in all layers.
struct Modules {
  /// Modules of the same kind, one a layer: `encoder.blocks.*.attention`.
  struct Group {
    let name: String
    let stems: [String]
  }

  let graph: WeightGraph
  let paths: Set<String>
  private let roles: [String: WeightRole]
  let groups: [Group]

  init(_ graph: WeightGraph) {
    self.graph = graph
    paths = Set(graph.slots.map(\.path))
    roles = Dictionary(graph.slots.map { ($0.path, $0.role) }) { first, _ in first }
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

  /// What is numbered twice, experts in layers, layer by layer.
  var layerGroups: [Group] {
    groups.filter { $0.name.split(separator: ".").count { $0 == "*" } > 1 }.flatMap { group in
      var order: [String] = []
      var stems: [String: [String]] = [:]
      for stem in group.stems {
        let name = starringLast(stem)
        if stems[name] == nil { order.append(name) }
        stems[name, default: []].append(stem)
      }
      return order.map { Group(name: $0, stems: stems[$0] ?? []) }
    }
  }

  /// A path with `*` for its last number.
  private func starringLast(_ path: String) -> String {
    var parts = path.split(separator: ".").map(String.init)
    if let index = parts.lastIndex(where: { $0.allSatisfy(\.isNumber) }) { parts[index] = "*" }
    return parts.joined(separator: ".")
  }

  // MARK: In a module, or the same one of all layers

  func trials(in group: Group) -> [Trial] {
    matrixTrials(in: group) + normTrials(in: group) + exchanges(in: group)
      + headTrials(in: group) + halvedTrials(in: group)
  }

  /// A trial that changes the same weights of every module of a group, each for itself.
  func edit(
    _ group: Group, _ mistake: String, at place: String = "", isRounded: Bool = false,
    _ names: [String], _ change: @escaping (Tensor) throws(CheckpointError) -> Tensor
  ) -> Trial {
    let affected = group.stems.flatMap { stem in names.map { stem + $0 } }.filter(paths.contains)
    return Trial(
      place: group.name + place, mistake: mistake, isRounded: isRounded, paths: affected
    ) { graph throws(CheckpointError) in try edited(graph, affected, change) }
  }

  /// A trial that changes weights of several parts of every module of a group, each part in its way.
  func edit(
    _ group: Group, _ mistake: String, _ parts: [(part: String, names: [String])],
    _ change: @escaping (_ part: String, Tensor) throws(CheckpointError) -> Tensor
  ) -> Trial {
    let affected = parts.map { part, names in
      (part, group.stems.flatMap { stem in names.map { stem + $0 } }.filter(paths.contains))
    }
    return Trial(place: group.name, mistake: mistake, paths: affected.flatMap(\.1)) {
      graph throws(CheckpointError) in
      var graph = graph
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
      roles[group.stems[0] + ".weight"] == .linear
    else { return [] }
    if shape[0] == shape[1] {
      return [
        edit(group, Self.transposed, at: ".weight", [".weight"]) {
          tensor throws(CheckpointError) in
          tensor.replacing(try ElementMatrix(tensor).transposed)
        }
      ]
    }
    var other = edit(group, Self.reshaped, at: ".weight", [".weight"]) {
      tensor throws(CheckpointError) in
      tensor.replacing(try ElementMatrix(tensor).transposed)
    }
    other.way = 1
    return [
      edit(group, Self.reshaped, at: ".weight", [".weight"]) { tensor throws(CheckpointError) in
        let matrix = try ElementMatrix(tensor)
        return tensor.replacing(
          matrix.reshaped(rows: matrix.columns, columns: matrix.rows).transposed)
      }, other,
    ]
  }

  /// What is said of a square matrix that was or was not transposed, and of another one.
  static let transposed = "transposed"
  static let reshaped = "given the other shape instead of being transposed"

  /// The same of all normalisations at once, with those of queries and keys, or without.
  var normTrials: [Trial] {
    let all = graph.slots.filter { $0.role == .normWeight }.map(\.path)
    let blocks = all.filter { !$0.contains("query_norm") && !$0.contains("key_norm") }
    var places = [("all normalisations", all)]
    if blocks.count < all.count { places.append(("all normalisations but those of heads", blocks)) }
    return places.filter { $0.1.count > 1 }
      .flatMap { place, paths in
        [(1.0, "1 was subtracted"), (-1.0, "1 was added")].map { undo, text in
          Trial(place: place, mistake: text, isRounded: true, paths: paths) {
            graph throws(CheckpointError) in
            try edited(graph, paths) { tensor throws(CheckpointError) in
              try tensor.mapping { $0 + undo }
            }
          }
        }
      }
  }

  /// A gain that is stored less one in one ecosystem and whole in another.
  private func normTrials(in group: Group) -> [Trial] {
    guard roles[group.stems[0] + ".weight"] == .normWeight else { return [] }
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
      ("attention_norm", "attention_post_norm"), ("feed_forward_norm", "feed_forward_post_norm"),
      ("attention_post_norm", "feed_forward_norm"),
      ("attention_post_norm", "feed_forward_post_norm"), ("query_norm", "key_norm"),
    ]
    let names = ["query", "key", "value", "output"]
    let matrices = ["", ".weight"] + names.map { ".\($0).weight" }
    let all = matrices + [".bias"] + names.map { ".\($0).bias" }
    return pairs.flatMap { a, b in
      let whole = exchange(in: group, a, b, all, "")
      let alone = exchange(in: group, a, b, matrices, ", without their biases")
      return [whole, alone.flatMap { $0.paths == whole?.paths ? nil : $0 }].compactMap(\.self)
    }
  }

  /// Two parts with some of their weights, as far as both have them.
  private func exchange(
    in group: Group, _ a: String, _ b: String, _ inner: [String], _ how: String
  ) -> Trial? {
    let swaps = group.stems.flatMap { stem in
      inner.map { ("\(stem).\(a)\($0)", "\(stem).\(b)\($0)") }
        .filter { paths.contains($0.0) && paths.contains($0.1) }
    }
    guard !swaps.isEmpty else { return nil }
    return Trial(
      place: group.name, mistake: "\(a) and \(b) exchanged\(how)",
      paths: swaps.flatMap { [$0.0, $0.1] }
    ) { graph throws(CheckpointError) in exchanged(graph, swaps) }
  }

  /// Two matrices of the model itself, in none of its parts, exchanged.
  var ownMatrixTrials: [Trial] {
    let own = graph.slots.filter { slot in
      slot.role == .linear && slot.path.split(separator: ".").count == 2
    }
    return own.enumerated().flatMap { index, first in
      own.dropFirst(index + 1).filter { $0.shape == first.shape }.map { second in
        Trial(
          place: "\(first.path) and \(second.path)", mistake: "exchanged",
          paths: [first.path, second.path]
        ) { graph throws(CheckpointError) in exchanged(graph, [(first.path, second.path)]) }
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
      ("gate and up split by turns instead of as halves", halves.byTurns),
      ("gate and up split as halves instead of by turns", halves.asHalves),
    ].map { text, order in
      Trial(place: group.name, mistake: text, paths: pairs.flatMap(\.self)) {
        graph throws(CheckpointError) in
        try refused(graph, pairs.map { ($0, order) })
      }
    }
  }
}
