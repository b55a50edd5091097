import Models
import TensorCore

/// Heads in the wrong order, or put together wrongly.
let headMistakes: [Plant] =
  ["query", "key", "value"].map { part in
    attention { ground, module, shape in
      let (heads, size) = shape.form(of: part)
      guard heads > 1, size > 1 else { return nil }
      // Row [head, place] was taken for row [place, head].
      return try ground.reordered(
        "heads of \(part) in the wrong order", module, [part],
        pair: "heads in the wrong order", golden: ["heads of \(part) in the wrong order"]
      ) { $0 % heads * size + $0 / heads }
    }
  }
  + [
    turned {
      ground, module, rows, size in
      try ground.reordered(
        "rotary halves interleaved in query", module, ["query"], pair: "interleaved in B",
        golden: ["heads of query interleaved"], order: interleaved(rows, size))
    },
    turned {
      ground, module, rows, size in
      var mutant = try ground.reordered(
        "rotary pairs split in key", module, ["key"], pair: "half-split in B",
        golden: ["heads of key split in halves", "heads of query interleaved"],
        order: split(rows, size))
      // Two pairs are split as they are interleaved; and without rotary positions a score does not tell a
      // query that was interleaved from a key that was split.
      if rows.count == 4 {
        mutant.pair.append(Mutant.Expected(module + ".key", "interleaved in B"))
      }
      return mutant
    },
    turned {
      ground, module, rows, size in
      let reason = ground.symmetry("places of heads permuted in query and key", of: module)?.reason
      var mutant = try ground.reordered(
        "rotary halves interleaved in query and key", module, ["query", "key"],
        pair: "interleaved in B",
        golden: reason == nil ? ["heads of query and key interleaved"] : [],
        order: interleaved(rows, size))
      mutant.equivalence = reason
      return mutant
    },
    attention { ground, module, shape in
      let path = module + ".output.weight"
      let (heads, size) = shape.form(of: "output")
      guard heads > 1, size > 1, ground.paths.contains(path) else { return nil }
      var mutant = Mutant("heads of output in the wrong order", at: path)
      mutant.weights[path] = try ground.elements(path).columns { $0 % heads * size + $0 / heads }
      mutant.pair = [Mutant.Expected(path, "heads in the wrong order")]
      mutant.golden = [Mutant.Expected(module + ".output", "heads in the wrong order")]
      return mutant
    },
    fused(
      "query, key, value split part by part", words: "split part by part instead of head by head"
    ) { $0 },
    fused(
      "query, key, value split head by head", words: "split head by head instead of part by part"
    ) { rows in
      var back = rows
      for (row, source) in rows.enumerated() { back[source] = row }
      return back
    },
    attention { ground, module, shape in
      let output = module + ".output.weight"
      guard shape.keyHeads > 1, ground.paths.contains(output) else { return nil }
      var mutant = Mutant("heads renumbered alike everywhere", at: module)
      let group = shape.heads / shape.keyHeads
      for part in ["query", "key", "value"] {
        let block = shape.form(of: part).size * (part == "query" ? group : 1)
        for path in ["\(module).\(part).weight", "\(module).\(part).bias"]
        where ground.paths.contains(path) {
          mutant.weights[path] = try ground.elements(path).rows {
            ($0 + block) % (block * shape.keyHeads)
          }
        }
      }
      let block = shape.valueSize * group
      mutant.weights[output] = try ground.elements(output).columns {
        ($0 + block) % (block * shape.keyHeads)
      }
      mutant.pair = [
        Mutant.Expected(
          module + ".query",
          shape.keyHeads == 2 ? "blocks 0 and 1 of" : "permuted in blocks")
      ]
      mutant.equivalence = ground.symmetry(mutant.kind, of: module)?.reason
      return mutant
    },
  ]

/// What a converter does that treats all rows of a layer alike.
let groupedMistakes: [Plant] = [
  attention { ground, module, shape in
    // Rotary halves interleaved as if keys had as many heads as queries.
    let size = shape.headSize * shape.keyHeads / shape.heads
    guard shape.rotary != nil, shape.keyHeads < shape.heads, size.isMultiple(of: 2), size > 2 else {
      return nil
    }
    return try ground.reordered(
      "keys interleaved with the heads of queries", module, ["key"], pair: "permuted", golden: [],
      order: interleaved(0..<size, size))
  },
  attention { ground, module, shape in
    guard shape.rotary != nil, shape.headSize > 2, ground.paths.contains(module + ".query.bias")
    else { return nil }
    var mutant = try ground.reordered(
      "rotary halves interleaved in weights and not in biases", module, ["query", "key"],
      pair: "interleaved in B", golden: [], order: interleaved(0..<shape.headSize, shape.headSize))
    for part in ["query", "key"] { mutant.weights["\(module).\(part).bias"] = nil }
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
  _ plant: @escaping @Sendable (inout Ground, String, AttentionShape) throws -> Mutant?
) -> Plant {
  Plant(attentions) { ground, module in
    guard let shape = ground.graph.attention(at: module) else { return nil }
    return try plant(&ground, module, shape)
  }
}

/// A mistake in what rotary positions turn, or would turn if there were any.
private func turned(
  _ plant: @escaping @Sendable (inout Ground, String, Range<Int>, Int) throws -> Mutant?
) -> Plant {
  attention { ground, module, shape in
    let rows = shape.rotary.map { $0.first..<$0.first + $0.size } ?? 0..<shape.headSize
    guard rows.count.isMultiple(of: 2), rows.count > 2 else { return nil }
    return try plant(&ground, module, rows, shape.headSize)
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

/// The rows of query, key and value together in another order.
///
/// - Parameter order: what to do with the order that takes a matrix head by head (for each head of keys its
///   queries, itself, its values) for one part by part.
private func fused(
  _ kind: String, words: String, _ order: @escaping @Sendable ([Int]) -> [Int]
) -> Plant {
  attention { ground, module, shape in
    guard shape.heads > 1, shape.headSize == shape.valueSize else { return nil }
    let (size, group) = (shape.headSize, shape.heads / shape.keyHeads)
    var rows: [Int] = []
    for head in 0..<shape.keyHeads {
      let queries = (0..<group).map { head * group + $0 }
      for block in queries + [shape.heads + head, shape.heads + shape.keyHeads + head] {
        rows += (0..<size).map { block * size + $0 }
      }
    }
    let sources = order(rows)
    var mutant = Mutant(kind, at: module)
    for ending in ["weight", "bias"] {
      let paths = ["query", "key", "value"].map { "\(module).\($0).\(ending)" }
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
    // Three heads of three parts are the same grid either way round.
    let said = shape.heads == 3 && group == 1 ? "split" : words
    mutant.pair = [Mutant.Expected(module, said)]
    mutant.golden = [Mutant.Expected(module, said)]
    return mutant
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
