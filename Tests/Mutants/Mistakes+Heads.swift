import Models
import TensorCore

/// Heads in the wrong order, or put together wrongly.
let headMistakes: [Plant] =
  ["query", "key", "value"].map { part in
    Plant(attentions) { ground, module in
      let (size, path) = (ground.headSize, "\(module).\(part)")
      let heads = ground.shape(path + ".weight")[0] / size
      guard heads > 1, size > 1 else { return nil }
      // Row [head, place] was taken for row [place, head].
      return try ground.reordered(
        "heads of \(part) in the wrong order", module, [part],
        pair: "heads in the wrong order", golden: "heads of \(part) in the wrong order"
      ) { $0 % heads * size + $0 / heads }
    }
  }
  + [
    Plant(attentions) { ground, module in
      let size = ground.headSize
      guard size.isMultiple(of: 2), size > 2 else { return nil }
      return try ground.reordered(
        "rotary halves interleaved in query", module, ["query"], pair: "interleaved in B",
        golden: "heads of query interleaved"
      ) { $0 / size * size + $0 % 2 * (size / 2) + $0 % size / 2 }
    },
    Plant(attentions) { ground, module in
      let size = ground.headSize
      guard size.isMultiple(of: 2), size > 2 else { return nil }
      var mutant = try ground.reordered(
        "rotary pairs split in key", module, ["key"], pair: "half-split in B",
        golden: "heads of key split in halves"
      ) { $0 / size * size + $0 % (size / 2) * 2 + $0 % size / (size / 2) }
      // Two pairs are split as they are interleaved; and a score does not tell a query that was
      // interleaved from a key that was split.
      if size == 4 { mutant.pair.append(Mutant.Expected(module + ".key", "interleaved in B")) }
      mutant.golden.append(Mutant.Expected(module, "heads of query interleaved"))
      return mutant
    },
    Plant(attentions) { ground, module in
      let size = ground.headSize
      guard size.isMultiple(of: 2), size > 2 else { return nil }
      var mutant = try ground.reordered(
        "rotary halves interleaved in query and key", module, ["query", "key"],
        pair: "interleaved in B", golden: nil
      ) { $0 / size * size + $0 % 2 * (size / 2) + $0 % size / 2 }
      mutant.equivalence =
        "without rotary positions a score is a sum over the places of a head, in any order"
      return mutant
    },
    Plant({ ground in attentions(ground).filter { ground.paths.contains($0 + ".output.weight") } })
    {
      ground, module in
      let (size, path) = (ground.headSize, module + ".output.weight")
      let heads = ground.shape(path)[1] / size
      guard heads > 1, size > 1 else { return nil }
      var mutant = Mutant("heads of output in the wrong order", at: path)
      mutant.weights[path] = try ground.elements(path).columns { $0 % heads * size + $0 / heads }
      mutant.pair = [Mutant.Expected(path, "heads in the wrong order")]
      mutant.golden = [Mutant.Expected(module + ".output", "heads in the wrong order")]
      return mutant
    },
    fused(
      "query, key, value split part by part", words: "split part by part instead of head by head"
    ) {
      heads, size, i in
      // What is stored as [heads, 3, size] was taken for [3, heads, size].
      let (head, part, place) = (i / (3 * size), i / size % 3, i % size)
      return (part * heads + head) * size + place
    },
    fused(
      "query, key, value split head by head", words: "split head by head instead of part by part"
    ) {
      heads, size, i in
      let (part, head, place) = (i / (heads * size), i / size % heads, i % size)
      return (head * 3 + part) * size + place
    },
    Plant(attentions) { ground, module in
      let parts = ["query", "key", "value"]
      let size = ground.headSize
      let width = ground.shape(module + ".query.weight")[0]
      let output = module + ".output.weight"
      // A bias on the scores is one for each head.
      let isBiased = ground.paths.contains { $0.contains("relative") }
      guard width > size, ground.paths.contains(output), !isBiased else { return nil }
      let rotated = { (i: Int) in (i + size) % width }
      var mutant = try ground.reordered(
        "heads renumbered alike everywhere", module, parts, pair: "permuted in blocks", golden: nil,
        order: rotated)
      mutant.weights[output] = try ground.elements(output).columns(rotated)
      if width == 2 * size { mutant.pair = [Mutant.Expected(module, "blocks 0 and 1 of")] }
      mutant.equivalence = "the heads of a layer are summed, in any order"
      return mutant
    },
  ]

/// The rows of query, key and value together in another order.
private func fused(
  _ kind: String, words: String, _ order: @escaping @Sendable (Int, Int, Int) -> Int
) -> Plant {
  Plant(attentions) { ground, module in
    let size = ground.headSize
    let parts = ["query", "key", "value"].map { "\(module).\($0).weight" }
    let width = ground.shape(parts[0])[0]
    guard width > size, parts.allSatisfy({ ground.shape($0) == ground.shape(parts[0]) }) else {
      return nil
    }
    var mutant = Mutant(kind, at: module)
    for ending in ["weight", "bias"] {
      let paths = ["query", "key", "value"].map { "\(module).\($0).\(ending)" }
      guard paths.allSatisfy(ground.paths.contains) else { continue }
      let parts = try paths.map(ground.elements)
      let (columns, all) = (parts[0].columns, parts.flatMap(\.bytes))
      let moved = (0..<3 * width).flatMap { row in
        let source = order(width / size, size, row)
        return all[source * columns..<(source + 1) * columns]
      }
      for (index, path) in paths.enumerated() {
        var elements = parts[index]
        elements.bytes = Array(moved[index * width * columns..<(index + 1) * width * columns])
        mutant.weights[path] = elements.result
      }
    }
    // Three heads of three parts are the same grid either way round.
    let said = width == 3 * size ? "split" : words
    mutant.pair = [Mutant.Expected(module, said)]
    mutant.golden = [Mutant.Expected(module, said)]
    return mutant
  }
}

extension Ground {
  /// The rows of parts of a module, weights and biases, in another order.
  fileprivate func reordered(
    _ kind: String, _ module: String, _ parts: [String], pair: String, golden: String?,
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
    mutant.golden = golden.map { [Mutant.Expected(module, $0)] } ?? []
    return mutant
  }
}
