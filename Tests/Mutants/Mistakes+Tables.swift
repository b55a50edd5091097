import Models
import TensorCore

@Sendable private func tables(_ ground: Ground) -> [String] {
  ground.slots(.embedding).filter { $0.shape.count == 2 && $0.shape[0] > 3 }.map(\.path)
}

/// Rows of tables in the wrong place, and tables tied wrongly.
let tableMistakes: [Plant] =
  [1, -1, 2].map { offset in
    plant(
      "table rows moved", in: tables,
      pair: "rows moved by \(abs(offset)) \(offset < 0 ? "down" : "up")",
      golden: "rows moved by \(abs(offset)) \(offset < 0 ? "down" : "up")"
    ) { ground, path in
      let elements = try ground.elements(path)
      return elements.rows { ($0 + offset + elements.rows) % elements.rows }
    }
  }
  + [
    plant("table rows moved, the last one twice", in: tables, pair: "rows moved by 1") {
      ground, path in
      let elements = try ground.elements(path)
      return elements.rows { min($0 + 1, elements.rows - 1) }
    },
    plant(
      "table given the other shape", in: tables, pair: "given the other shape"
    ) { ground, path in
      let elements = try ground.elements(path)
      let (rows, columns) = (elements.rows, elements.columns)
      guard rows != columns, columns > 1 else { return nil }
      return elements.flat { $0 % rows * columns + $0 / rows }
    },
    Plant({ $0.graph.slots.filter { $0.tie != nil }.map(\.path) }) { ground, path in
      guard let tie = ground.graph.slots.first(where: { $0.path == path })?.tie,
        ground.shape(path) == ground.shape(tie)
      else { return nil }
      let isTied = ground.graph.ties[path] != nil
      var mutant = Mutant(isTied ? "head untied" : "head tied", at: path)
      let embedding = try ground.elements(tie)
      // Untied by a converter that trained on, or that read other rows.
      mutant.weights[path] =
        isTied ? embedding.rows { ($0 + 1) % embedding.rows } : embedding.tensor
      mutant.pair = [
        Mutant.Expected(path, isTied ? "a weight of its own in B" : "a copy of A's \(tie)"),
        Mutant.Expected(path, "tied to \(tie) in B"),
      ]
      mutant.golden = isTied ? [Mutant.Expected(path, "should be tied to \(tie)")] : []
      return mutant
    },
  ]
