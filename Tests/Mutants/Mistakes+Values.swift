import Models
import TensorCore

/// Values that were folded, lost, or rounded wrongly.
let valueMistakes: [Plant] =
  [
    plant("bias lost", in: biases, pair: "zero in B", equivalence: freedom) { ground, path in
      try ground.elements(path).mapped { _, _ in 0 }
    },
    plant("gain left at one", in: gains, pair: "all 1.0 in B") { ground, path in
      try ground.elements(path).mapped { _, _ in 1 }
    },
    movedGain("gain stored less one", by: -1, golden: "1 was subtracted"),
    movedGain("gain stored with one more", by: 1, golden: "1 was added"),
    allGains("all gains stored less one", by: -1, golden: "1 was subtracted"),
    allGains("all gains stored with one more", by: 1, golden: "1 was added"),
    scaled("scale folded into the query", by: { 1 / $0 }, golden: "divided by the root"),
    scaled("scale taken out of the query", by: { $0 }, golden: "multiplied by the root"),
    plant(
      "embedding scaled by the root of the width",
      in: { ground in ground.slots(.embedding).map(\.path).filter { $0.contains("word") } },
      pair: "multiplied by"
    ) { ground, path in
      let elements = try ground.elements(path)
      let root = Double(elements.columns).squareRoot()
      return elements.mapped { $1 * root }
    },
  ]
  + [
    recoded("truncated to bf16", .bf16, "cut off to BF16") { truncatedBfloat16($0) },
    recoded("truncated to bf16 and widened", .f32, "cut off to BF16") { truncatedBfloat16($0) },
    recoded("rounded to bf16 and widened", .f32, "rounded to BF16") { bfloat16($0) },
    recoded("rounded to f16 and widened", .f32, "rounded to F16") {
      littleEndian(Float16($0).bitPattern)
    },
  ]

/// One normalisation's gain.
private func movedGain(_ kind: String, by addend: Double, golden: String) -> Plant {
  Plant(gains) { ground, path in
    var mutant = Mutant(kind, at: path)
    mutant.weights[path] = try ground.elements(path).mapped { $1 + addend }
    mutant.pair = [Mutant.Expected(path, "was added in B")]
    mutant.golden = ground.holdsSums(path) ? [Mutant.Expected(path, golden)] : []
    return mutant
  }
}

extension Ground {
  /// Whether what is added to a weight, or multiplied by, can be taken away again: a short type rounds it off.
  fileprivate func holdsSums(_ path: String) -> Bool {
    (graph.tensor(at: path)?.dtype.bitWidth ?? 0) >= 32
  }
}

/// The gains of all normalisations, as of a model whose other ecosystem adds one to them.
private func allGains(_ kind: String, by addend: Double, golden: String) -> Plant {
  Plant({ gains($0).count > 1 ? [""] : [] }) { ground, _ in
    var mutant = Mutant(kind, at: "all normalisations")
    for path in gains(ground) {
      mutant.weights[path] = try ground.elements(path).mapped { $1 + addend }
    }
    mutant.pair = [Mutant.Expected("", "\(addend) was added in B")]
    let holdsEnough = gains(ground).allSatisfy { ground.holdsSums($0) }
    mutant.golden = holdsEnough ? [Mutant.Expected("", golden)] : []
    return mutant
  }
}

/// All weights in single precision through another type.
private func recoded(
  _ kind: String, _ dtype: DType, _ words: String, _ code: @escaping @Sendable (Double) -> [UInt8]
) -> Plant {
  Plant({ ground in
    ground.graph.slots.allSatisfy { ground.graph.tensor(at: $0.path)?.dtype == .f32 } ? [""] : []
  }) { ground, _ in
    var mutant = Mutant(kind, at: "all weights")
    for path in ground.graph.slots.map(\.path) where ground.graph.ties[path] == nil {
      let elements = try ground.elements(path)
      mutant.weights[path] =
        dtype == .bf16
        ? elements.converted(to: .bf16, code)
        : elements.mapped { decoded(code($1), words.hasSuffix("BF16") ? .bf16 : .f16) }
    }
    mutant.pair = [Mutant.Expected("", words)]
    return mutant
  }
}

/// The scale of the scores in the queries.
private func scaled(
  _ kind: String, by factor: @escaping @Sendable (Double) -> Double, golden: String
) -> Plant {
  Plant(attentions) { ground, module in
    guard let shape = ground.graph.layers[module]?.attention else { return nil }
    let factor = factor(Double(shape.headSize).squareRoot())
    guard factor != 1 else { return nil }
    var mutant = Mutant(kind, at: module + ".query")
    for path in ["\(module).query.weight", "\(module).query.bias"] where ground.paths.contains(path)
    {
      mutant.weights[path] = try ground.elements(path).mapped { $1 * factor }
    }
    mutant.pair = [Mutant.Expected(module + ".query", "multiplied by")]
    // A normalisation behind it takes the factor away, but for its epsilon.
    let holdsEnough = shape.norm == nil && ground.holdsSums(module + ".query.weight")
    mutant.golden = holdsEnough ? [Mutant.Expected(module + ".query", golden)] : []
    return mutant
  }
}
