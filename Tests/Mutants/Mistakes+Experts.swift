import Models
import TensorCore

/// Experts in the wrong order, and their gates taken wrongly from a common matrix.
let expertMistakes: [Plant] = [
  experts { ground, module, shape in
    guard let (count, block) = ground.renumbering(of: module) else { return nil }
    return try ground.renumbered(
      "experts renumbered with the router's rows", module, shape, count: count, block: block,
      withRouter: true)
  },
  experts { ground, module, shape in
    try ground.renumbered(
      "experts renumbered without the router's rows", module, shape,
      count: shape.routing.experts, block: 1, withRouter: false)
  },
  experts { ground, module, _ in
    // The matrices of all experts in one tensor, of which rows and columns were confused.
    let part = ground.dice.below(2) == 0 ? "down" : "up"
    var mutant = Mutant("matrices of all experts not transposed", at: "\(module).experts.*.\(part)")
    var words = "transposed"
    for path in ground.weights(in: module + ".experts") where path.hasSuffix(".\(part).weight") {
      let elements = try ground.elements(path)
      let (rows, columns) = (elements.rows, elements.columns)
      if rows != columns { words = "given the other shape" }
      mutant.weights[path] = elements.flat { $0 % rows * columns + $0 / rows }
    }
    mutant.pair = [Mutant.Expected(module + ".experts", words)]
    mutant.golden = [Mutant.Expected("\(module).experts.*.\(part).weight", words)]
    return mutant
  },
  experts { ground, module, _ in
    let paths = ["choice_bias", "bias"].map { "\(module).router.\($0)" }
    guard let path = paths.first(where: ground.paths.contains) else { return nil }
    var mutant = Mutant("routing bias lost", at: path)
    mutant.weights[path] = try ground.elements(path).mapped { _, _ in 0 }
    mutant.pair = [Mutant.Expected(path, "zero in B")]
    return mutant
  },
  experts { ground, module, _ in
    let paths = ["choice_bias", "bias"].map { "\(module).router.\($0)" }
    guard let path = paths.first(where: ground.paths.contains),
      ground.graph.tensor(at: path)?.dtype == .f32
    else { return nil }
    var mutant = Mutant("routing bias rounded", at: path)
    mutant.weights[path] = try ground.elements(path).mapped { decoded(bfloat16($1), .bf16) }
    mutant.pair = [Mutant.Expected(path, "rounded to BF16")]
    return mutant
  },
  Plant({ $0.modules(with: "gate.weight", "up.weight") }) { ground, module in
    // The second half of a common matrix, transposed once too often.
    let path = module + ".up.weight"
    let elements = try ground.elements(path)
    let (rows, columns) = (elements.rows, elements.columns)
    guard rows > 1, columns > 1 else { return nil }
    let words = rows == columns ? "transposed" : "given the other shape"
    var mutant = Mutant("second half of gate and up not transposed", at: path)
    mutant.weights[path] = elements.flat { $0 % rows * columns + $0 / rows }
    mutant.pair = [Mutant.Expected(path, words)]
    mutant.golden = [Mutant.Expected(path, words)]
    return mutant
  },
  gates("gate and up split by turns instead of as halves") { row, half in
    row < half ? 2 * row : 2 * (row - half) + 1
  },
  gates("gate and up split as halves instead of by turns") { row, half in
    row / 2 + (row.isMultiple(of: 2) ? 0 : half)
  },
]

private func experts(
  _ plant: @escaping @Sendable (inout Ground, String, ExpertsShape) throws -> Mutant?
) -> Plant {
  Plant({ ground in
    ground.graph.layers.keys.sorted().filter { ground.experts(at: $0) != nil }
  }) { ground, module in
    guard let shape = ground.experts(at: module) else { return nil }
    return try plant(&ground, module, shape)
  }
}

/// The rows of gate and up, one behind the other, in another order.
private func gates(
  _ kind: String, _ order: @escaping @Sendable (_ row: Int, _ half: Int) -> Int
) -> Plant {
  Plant({ $0.modules(with: "gate.weight", "up.weight") }) { ground, module in
    let paths = ["gate", "up"].map { "\(module).\($0).weight" }
    let half = ground.shape(paths[0])[0]
    guard half > 1 else { return nil }
    let (gate, up) = (try ground.elements(paths[0]), try ground.elements(paths[1]))
    var both = gate
    both.bytes += up.bytes
    let columns = gate.columns
    var mutant = Mutant(kind, at: module)
    for (index, path) in paths.enumerated() {
      var part = gate
      part.bytes = (0..<half).flatMap { row in
        let source = order(index * half + row, half)
        return both.bytes[source * columns..<(source + 1) * columns]
      }
      mutant.weights[path] = part.result
    }
    mutant.pair = [Mutant.Expected(module, kind)]
    mutant.golden = [Mutant.Expected(module, kind)]
    return mutant
  }
}

extension Ground {
  fileprivate func experts(at module: String) -> ExpertsShape? {
    if case .experts(let shape) = graph.layers[module] { shape } else { nil }
  }

  /// How the experts of a module may be renumbered, as it declares it.
  fileprivate func renumbering(of module: String) -> (count: Int, block: Int)? {
    for symmetry in symmetries where symmetry.module == module {
      if case .renumbering(_, let count, let block, _) = symmetry.change { return (count, block) }
    }
    return nil
  }

  /// Experts moved by one block, around the end.
  fileprivate func renumbered(
    _ kind: String, _ module: String, _ shape: ExpertsShape, count: Int, block: Int,
    withRouter: Bool
  ) throws -> Mutant {
    let all = count * block
    var mutant = Mutant(kind, at: module)
    for path in weights(in: module + ".experts") {
      let rest = path.dropFirst(module.count + ".experts.".count)
      let (number, name) = (rest.prefix { $0 != "." }, rest.drop { $0 != "." })
      let source = ((Int(number) ?? 0) + block) % all
      mutant.weights[path] = try tensor("\(module).experts.\(source)\(name)")
    }
    if withRouter {
      for path in weights(in: module + ".router") {
        mutant.weights[path] = try elements(path).rows { ($0 + block) % all }
      }
      mutant.equivalence = symmetry(kind, of: module)?.reason
    }
    mutant.pair = [
      Mutant.Expected(module + ".experts", "moved by \(block) up in B, the first ones to the end"),
      Mutant.Expected(module + ".experts", "exchanged with"),
    ]
    return mutant
  }
}
