import Models
import TensorCore

extension Modules {
  /// Heads of attention modules that are alike in another order, or scaled.
  func headTrials(in group: Group) -> [Trial] {
    guard let layer = sharedHeads(of: group), let size = layer.attention?.headSize, size > 1 else {
      return []
    }
    // A converter that gets it wrong may do so with or without the biases.
    let trials = [[".weight", ".bias"], [".weight"]].flatMap { endings in
      transpositions(in: group, layer, endings) + fusedTrials(in: group, layer, endings)
        + turns(in: group, layer, endings) + scales(in: group, layer, headSize: size, endings)
    }
    guard let output = layer.headPart("output") else { return trials }
    return trials + [
      edit(group, "heads in the wrong order", at: ".output", [".output.weight"]) {
        tensor throws(CheckpointError) in
        try tensor.reordered(axis: 1) { output.transposed($0) }
      }
    ]
  }

  /// What attention modules are, if their heads are alike, as those that positions turn: layers of two types have
  /// windows or not, and are turned or not.
  private func sharedHeads(of group: Group) -> LayerFact? {
    let all = group.stems.compactMap { graph.layers[$0] }
    let turned = all.compactMap(\.attention?.rotary)
    guard all.count == group.stems.count, turned.allSatisfy({ $0 == turned.first }),
      let layer = all.first(where: { $0.attention?.rotary != nil }) ?? all.first,
      all.allSatisfy({ $0.headsAlone == layer.headsAlone })
    else { return nil }
    return layer
  }

  /// Rows of some parts in another order.
  ///
  /// - Parameter row: for a part and a row of it the row that should stand there.
  private func reorder(
    _ group: Group, _ text: String, _ names: [String], _ endings: [String],
    _ row: @escaping (_ part: String, _ row: Int) -> Int
  ) -> Trial {
    let text = text + biasesAlone(group, names, endings)
    return edit(group, text, names.map { name in (name, endings.map { ".\(name)\($0)" }) }) {
      name, tensor throws(CheckpointError) in try tensor.reordered(axis: 0) { row(name, $0) }
    }
  }

  /// Heads and places of parts that have several heads, of all of these or of one.
  private func transpositions(
    in group: Group, _ layer: LayerFact, _ endings: [String]
  ) -> [Trial] {
    let several = ["query", "key", "value"].filter { (layer.headPart($0)?.heads ?? 0) > 1 }
    return together(several).map { names in
      let text = "heads of \(names.joined(separator: ", ")) in the wrong order"
      return reorder(group, text, names, endings) { layer.headPart($0)?.transposed($1) ?? $1 }
    }
  }

  /// Rotary pairs of queries and keys, of both or of one: of what is turned, of whole heads although only a part is,
  /// or of keys as if they had as many heads as queries.
  private func turns(in group: Group, _ layer: LayerFact, _ endings: [String]) -> [Trial] {
    var orders: [String: HeadOrder] = [:]
    for name in layer.turnedParts { orders[name] = layer.headPart(name)?.order }
    var trials = turns(in: group, layer.turnedParts, orders, "", endings)
    let whole = orders.mapValues { HeadOrder(size: $0.size) }
    if orders.contains(where: { whole[$0.key]?.turned != $0.value.turned }) {
      trials += turns(
        in: group, layer.turnedParts, whole, ", with what is not turned", endings)
    }
    if let shape = graph.attention(at: group.stems[0]), shape.group > 1,
      shape.headSize.isMultiple(of: shape.group)
    {
      trials += turns(
        in: group, ["key"], ["key": HeadOrder(size: shape.headSize / shape.group)],
        ", as if there were as many as of query", endings)
    }
    return trials
  }

  private func turns(
    in group: Group, _ parts: [String], _ orders: [String: HeadOrder], _ how: String,
    _ endings: [String]
  ) -> [Trial] {
    together(parts.filter { orders[$0]?.hasPairs == true }).flatMap { names in
      let text = "heads of \(names.joined(separator: " and "))"
      return [
        reorder(group, "\(text) interleaved\(how)", names, endings) {
          orders[$0]?.split($1) ?? $1
        },
        reorder(group, "\(text) split in halves\(how)", names, endings) {
          orders[$0]?.interleaved($1) ?? $1
        },
      ]
    }
  }

  /// All of something, and each alone.
  private func together(_ parts: [String]) -> [[String]] {
    (parts.count > 1 ? [parts] : []) + parts.map { [$0] }
  }

  /// What is said of a change of the weights alone, where parts have biases.
  private func biasesAlone(_ group: Group, _ names: [String], _ endings: [String]) -> String {
    let haveBiases = names.contains { name in
      group.stems.contains { paths.contains("\($0).\(name).bias") }
    }
    return haveBiases && !endings.contains(".bias") ? ", the biases not" : ""
  }

  private func scales(
    in group: Group, _ layer: LayerFact, headSize: Int, _ endings: [String]
  ) -> [Trial] {
    let root = Double(headSize).squareRoot()
    let biases = biasesAlone(group, ["query"], endings)
    // A score is a product of the two, unless something else is made of one of them.
    var isProduct = false
    if case .attention(let shape) = layer {
      isProduct = !shape.hasOwnPositions && shape.norm == nil
    }
    let isOpen = isProduct && biases.isEmpty && paths.contains(group.stems[0] + ".key.weight")
    let rest = isOpen ? ", or key is, which comes to the same" : biases
    return [(root, "divided"), (1 / root, "multiplied")].map { undo, text in
      edit(
        group, "\(text) by the root of the head size\(rest)", at: ".query", isRounded: true,
        endings.map { ".query\($0)" }
      ) { tensor throws(CheckpointError) in try tensor.mapping { $0 * undo } }
    }
  }

  /// Query, key and value, or two of them, taken wrongly from a common matrix.
  private func fusedTrials(
    in group: Group, _ layer: LayerFact, _ endings: [String]
  ) -> [Trial] {
    guard let fused = layer.fusedOrder else { return [] }
    let parts = layer.commonParts
    let all = group.stems.flatMap { stem in
      endings.map { ending in parts.map { "\(stem).\($0)\(ending)" } }
    }.filter { $0.allSatisfy(paths.contains) }
    let biases = biasesAlone(group, parts, endings)
    return [
      ("\(parts.listed) split part by part instead of head by head", fused.partByPart),
      ("\(parts.listed) split head by head instead of part by part", fused.headByHead),
    ].map { text, order in
      Trial(place: group.name, mistake: text + biases, paths: all.flatMap(\.self)) {
        graph throws(CheckpointError) in try refused(graph, all.map { ($0, order) })
      }
    }
  }
}

extension LayerFact {
  /// The same with nothing of what its heads see and whether they are turned.
  fileprivate var headsAlone: LayerFact {
    func alone(_ shape: AttentionShape) -> AttentionShape {
      var shape = shape
      (shape.window, shape.rotary) = (nil, nil)
      return shape
    }
    return switch self {
    case .attention(let shape): .attention(alone(shape))
    case .latentAttention(let shape, let kept): .latentAttention(alone(shape), kept: kept)
    default: self
    }
  }
}
