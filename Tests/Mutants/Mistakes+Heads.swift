import Models
import TensorCore

/// Heads in the wrong order, or put together wrongly.
let headMistakes: [Plant] =
  ["query", "key", "value"].map { part in
    attention { ground, module, layer in
      guard let (heads, size) = layer.several(part) else { return nil }
      // Row [head, place] was taken for row [place, head].
      return try ground.reordered(
        "heads of \(part) in the wrong order", module, [part],
        pair: "heads in the wrong order", golden: ["heads of \(part) in the wrong order"]
      ) { $0 % heads * size + $0 / heads }
    }
  }
  + [
    turned { ground, module, query, _ in
      try ground.reordered(
        "rotary halves interleaved in query", module, [query.name], pair: "interleaved in B",
        golden: ["heads of query interleaved"] + query.likewise("query", "split in halves"),
        order: interleaved(query.rows, query.size))
    },
    turned { ground, module, query, key in
      var mutant = try ground.reordered(
        "rotary pairs split in key", module, [key.name], pair: "half-split in B",
        golden: ["heads of \(key.name) split in halves", "heads of query interleaved"]
          + key.likewise(key.name, "interleaved"),
        order: split(key.rows, key.size))
      // Two pairs are split as they are interleaved; and without rotary positions a score does not tell a
      // query that was interleaved from a key that was split.
      if key.rows.count == 4 {
        mutant.pair.append(Mutant.Expected("\(module).\(key.name)", "interleaved in B"))
      }
      return mutant
    },
    turned { ground, module, query, key in
      let reason = ground.symmetry("places of heads permuted in query and key", of: module)?.reason
      let names = "query and \(key.name)"
      var mutant = try ground.reordered(
        "rotary halves interleaved in query and key", module, [query.name],
        pair: "interleaved in B",
        golden: reason == nil
          ? ["heads of \(names) interleaved"] + query.likewise(names, "split in halves") : [],
        order: interleaved(query.rows, query.size))
      let keys = try ground.reordered(
        mutant.kind, module, [key.name], pair: "", golden: [],
        order: interleaved(key.rows, key.size))
      mutant.weights.merge(keys.weights) { first, _ in first }
      if reason == nil {
        // Where the config says which numbers are pairs, that is as good an explanation.
        mutant.golden.append(Mutant.Expected("config", "interleave should be"))
      }
      mutant.equivalence = reason
      return mutant
    },
    attention { ground, module, layer in
      let path = module + ".output.weight"
      guard let (heads, size) = layer.several("output"), ground.paths.contains(path) else {
        return nil
      }
      var mutant = Mutant("heads of output in the wrong order", at: path)
      mutant.weights[path] = try ground.elements(path).columns { $0 % heads * size + $0 / heads }
      mutant.pair = [Mutant.Expected(path, "heads in the wrong order")]
      mutant.golden = [Mutant.Expected(module + ".output", "heads in the wrong order")]
      return mutant
    },
    fused("split part by part", words: "split part by part instead of head by head") { $0 },
    fused("split head by head", words: "split head by head instead of part by part") { rows in
      var back = rows
      for (row, source) in rows.enumerated() { back[source] = row }
      return back
    },
    attention { ground, module, layer in
      let output = module + ".output.weight"
      guard let turns = layer.headPart("value")?.heads, turns > 1, ground.paths.contains(output)
      else { return nil }
      var mutant = Mutant("heads renumbered alike everywhere", at: module)
      for part in ["query", "key", "value"] {
        guard let form = layer.headPart(part) else { return nil }
        let block = form.size * form.heads / turns
        for path in ["\(module).\(part).weight", "\(module).\(part).bias"]
        where ground.paths.contains(path) {
          mutant.weights[path] = try ground.elements(path).rows { ($0 + block) % (block * turns) }
        }
      }
      let elements = try ground.elements(output)
      let block = elements.columns / turns
      mutant.weights[output] = elements.columns { ($0 + block) % (block * turns) }
      mutant.pair = [
        Mutant.Expected(
          module + ".query", turns == 2 ? "blocks 0 and 1 of" : "permuted in blocks")
      ]
      mutant.equivalence = ground.symmetry(mutant.kind, of: module)?.reason
      return mutant
    },
  ]

/// What a converter does that treats all rows of a layer alike.
let groupedMistakes: [Plant] = [
  attention { ground, module, layer in
    // Rotary halves interleaved as if keys had as many heads as queries.
    guard case .attention(let shape) = layer else { return nil }
    let size = shape.headSize * shape.keyHeads / shape.heads
    guard shape.rotary != nil, shape.keyHeads < shape.heads, size.isMultiple(of: 2), size > 2 else {
      return nil
    }
    var mutant = try ground.reordered(
      "keys interleaved with the heads of queries", module, ["key"], pair: "permuted",
      golden: ["heads of key interleaved, as if there were as many as of query"],
      order: interleaved(0..<size, size))
    mutant.pair.append(
      Mutant.Expected(module + ".key", "rows of each head of \(size) interleaved in B"))
    return mutant
  },
  turned { ground, module, query, key in
    // The part of a head that is not turned moved with the rest.
    guard query.rows.count < query.size, query.size.isMultiple(of: 2), query.size == key.size else {
      return nil
    }
    return try ground.reordered(
      "whole heads interleaved where a part is turned", module, [query.name, key.name],
      pair: "rows of each head of \(query.size) interleaved in B",
      golden: ["heads of query and \(key.name) interleaved, with what is not turned"],
      order: interleaved(0..<query.size, query.size))
  },
  turned { ground, module, query, key in
    guard ground.paths.contains(module + ".query.bias"), key.size == query.size,
      ground.graph.layers[module]?.attention?.rotary != nil
    else { return nil }
    var mutant = try ground.reordered(
      "rotary halves interleaved in weights and not in biases", module, [query.name, key.name],
      pair: "interleaved in B", golden: ["heads of query and \(key.name) interleaved"],
      order: interleaved(query.rows, query.size))
    for part in [query, key] { mutant.weights["\(module).\(part.name).bias"] = nil }
    return mutant
  },
  Plant({ ground in ground.slots(.bias).isEmpty ? [] : ["biases"] }) { ground, place in
    var mutant = Mutant("all biases lost", at: place)
    for slot in ground.slots(.bias) {
      mutant.weights[slot.path] = try ground.elements(slot.path).mapped { _, _ in 0 }
    }
    mutant.pair = [Mutant.Expected("bias", "zero in B")]
    return mutant
  },
]

/// A mistake in an attention module, whose heads are what it declares.
private func attention(
  _ plant: @escaping @Sendable (inout Ground, String, LayerFact) throws -> Mutant?
) -> Plant {
  Plant(attentions) { ground, module in
    guard let layer = ground.graph.layers[module] else { return nil }
    return try plant(&ground, module, layer)
  }
}

/// A part of attention that positions turn.
private struct Turned {
  let name: String
  /// The rows of each head that are turned.
  let rows: Range<Int>
  /// The rows of each head.
  let size: Int

  init?(_ name: String, _ layer: LayerFact) {
    guard let part = layer.headPart(name) else { return nil }
    self.name = name
    (rows, size) = (part.turned ?? 0..<part.size, part.size)
    guard rows.count.isMultiple(of: 2), rows.count > 2 else { return nil }
  }

  /// Two pairs are split as they are interleaved.
  func likewise(_ names: String, _ words: String) -> [String] {
    rows.count == 4 ? ["heads of \(names) \(words)"] : []
  }
}

/// A mistake in what rotary positions turn, or would turn if there were any.
private func turned(
  _ plant: @escaping @Sendable (inout Ground, String, Turned, Turned) throws -> Mutant?
) -> Plant {
  attention { ground, module, layer in
    let parts = layer.turnedParts.compactMap { Turned($0, layer) }
    guard parts.count == 2 else { return nil }
    return try plant(&ground, module, parts[0], parts[1])
  }
}

/// Of each head of `size` some rows, halves for neighbours.
private func interleaved(_ rows: Range<Int>, _ size: Int) -> (Int) -> Int {
  { row in
    let place = row % size - rows.lowerBound
    return rows.contains(row % size) ? row - place + place % 2 * (rows.count / 2) + place / 2 : row
  }
}

/// Of each head of `size` some rows, neighbours for halves.
private func split(_ rows: Range<Int>, _ size: Int) -> (Int) -> Int {
  { row in
    let (place, half) = (row % size - rows.lowerBound, rows.count / 2)
    return rows.contains(row % size) ? row - place + place % half * 2 + place / half : row
  }
}

/// The rows of query, key and value together in another order, or of the two of them that files have in common.
///
/// - Parameter order: what to do with the order that takes a matrix head by head (for each head of keys its
///   queries, itself, its values) for one part by part.
private func fused(
  _ kind: String, words: String, _ order: @escaping @Sendable ([Int]) -> [Int]
) -> Plant {
  attention { ground, module, layer in
    let parts = layer.commonParts.compactMap { name in layer.headPart(name).map { (name, $0) } }
    guard let turns = parts.last?.1.heads, parts.count > 1, parts[0].1.heads > 1 else { return nil }
    var (rows, starts, next) = ([Int](), [Int](), 0)
    for (_, part) in parts {
      starts.append(next)
      next += part.heads * part.size
    }
    for turn in 0..<turns {
      for (start, (_, part)) in zip(starts, parts) {
        let size = part.heads / turns * part.size
        rows += (0..<size).map { start + turn * size + $0 }
      }
    }
    let sources = order(rows)
    guard sources != Array(0..<next) else { return nil }
    let names = parts.map(\.0)
    var mutant = Mutant("\(names.joined(separator: ", ")) \(kind)", at: module)
    for ending in ["weight", "bias"] {
      let paths = names.map { "\(module).\($0).\(ending)" }
      guard paths.allSatisfy(ground.paths.contains) else { continue }
      let parts = try paths.map(ground.elements)
      let (columns, all) = (parts[0].columns, parts.flatMap(\.bytes))
      let moved = sources.flatMap { all[$0 * columns..<($0 + 1) * columns] }
      var start = 0
      for (path, part) in zip(paths, parts) {
        var elements = part
        elements.bytes = Array(moved[start..<start + part.bytes.count])
        start += part.bytes.count
        mutant.weights[path] = elements.result
      }
    }
    // As many heads as parts, all of one size, are the same grid either way round.
    let isSquare = turns == parts.count && Set(parts.map { $0.1.heads * $0.1.size }).count == 1
    let said = isSquare ? "split" : words
    mutant.pair = [Mutant.Expected(module, said)]
    mutant.golden = [Mutant.Expected(module, said)]
    return mutant
  }
}

extension LayerFact {
  /// How many heads a part has, and of which size, if there is more than one of either.
  fileprivate func several(_ name: String) -> (heads: Int, size: Int)? {
    guard let part = headPart(name), part.heads > 1, part.size > 1 else { return nil }
    return (part.heads, part.size)
  }
}

extension Ground {
  /// The rows of parts of a module, weights and biases, in another order.
  fileprivate func reordered(
    _ kind: String, _ module: String, _ parts: [String], pair: String, golden: [String],
    order: (Int) -> Int
  ) throws -> Mutant {
    var mutant = Mutant(kind, at: module)
    for part in parts {
      for path in ["\(module).\(part).weight", "\(module).\(part).bias"] where paths.contains(path)
      {
        mutant.weights[path] = try elements(path).rows(order)
      }
    }
    mutant.pair = [Mutant.Expected("\(module).\(parts[0])", pair)]
    mutant.golden = golden.map { Mutant.Expected(module, $0) }
    return mutant
  }
}
