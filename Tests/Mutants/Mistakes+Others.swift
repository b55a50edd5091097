import Models
import TensorCore

@Sendable private func all(_ ground: Ground) -> [String] {
  ground.graph.slots.filter { !$0.isUnused && ground.graph.ties[$0.path] == nil }.map(\.path)
}

/// Mistakes that are on nobody's list: they must be caught all the same, and named as exactly as can
/// be.
let otherMistakes: [Plant] = [
  plant("one element changed", isListed: false, in: all, pair: "differs", equivalence: freedom) {
    ground, path in
    let elements = try ground.elements(path)
    let place = ground.dice.below(elements.bytes.count)
    return elements.mapped { $0 == place ? $1 + 0.5 : $1 }
  },
  plant(
    "lowest bit of the largest element", isListed: false, in: all, pair: "differs",
    equivalence: freedom
  ) {
    ground, path in
    var elements = try ground.elements(path)
    let largest = elements.bytes.indices.max {
      abs(elements.value($0)) < abs(elements.value($1))
    }
    elements.bytes[largest ?? 0][0] ^= 1
    return elements.result
  },
  plant("a row zeroed", isListed: false, in: all, pair: "zero in B", equivalence: freedom) {
    ground, path in
    let elements = try ground.elements(path)
    let row = ground.dice.below(elements.rows)
    return elements.mapped { $0 / elements.columns == row ? 0 : $1 }
  },
  plant(
    "two rows exchanged", isListed: false, in: all, pair: "exchanged in B", equivalence: freedom
  ) {
    ground, path in
    let elements = try ground.elements(path)
    guard elements.rows > 1 else { return nil }
    let first = ground.dice.below(elements.rows)
    let second = (first + 1 + ground.dice.below(elements.rows - 1)) % elements.rows
    return elements.rows { $0 == first ? second : $0 == second ? first : $0 }
  },
  plant("sign turned", isListed: false, in: all, pair: "multiplied by -1.0", equivalence: freedom) {
    ground, path in try ground.elements(path).mapped { -$1 }
  },
  plant("noise of a thousandth", isListed: false, in: all, pair: "differ", equivalence: freedom) {
    ground, path in
    var dice = Dice(seed: ground.dice.next())
    return try ground.elements(path).mapped {
      $1 * (1 + 1e-3 * (Double(dice.next() >> 11) * 0x1p-52 - 1) + ($0 < 0 ? 1 : 0))
    }
  },
  plant("not a number", isListed: false, in: all, pair: "nan", equivalence: { _, _ in nil }) {
    ground, path in
    let elements = try ground.elements(path)
    let place = ground.dice.below(elements.bytes.count)
    return elements.mapped { $0 == place ? .nan : $1 }
  },
  Plant({ ground in ground.modules(with: "down.weight").filter { ground.hidden(in: $0) != nil } }) {
    ground, module in
    guard let hidden = ground.hidden(in: module) else { return nil }
    var mutant = Mutant("hidden units permuted alike", at: module, isListed: false)
    let order = { (i: Int) in (i + 1) % hidden }
    for part in ["gate", "up"] {
      for path in ["\(module).\(part).weight", "\(module).\(part).bias"]
      where ground.paths.contains(path) {
        mutant.weights[path] = try ground.elements(path).rows(order)
      }
    }
    mutant.weights[module + ".down.weight"] =
      try ground.elements(module + ".down.weight").columns(order)
    mutant.pair = [Mutant.Expected(module, "permuted in B"), Mutant.Expected(module, "moved by")]
    mutant.equivalence = ground.symmetry(mutant.kind, of: module)?.reason
    return mutant
  },
  // The same without the activated part's bias, where it has one, shows.
  Plant({ ground in ground.modules(with: "gate.bias").filter { ground.hidden(in: $0) != nil } }) {
    ground, module in
    guard let hidden = ground.hidden(in: module) else { return nil }
    var mutant = Mutant("hidden units permuted but for a bias", at: module, isListed: false)
    let order = { (i: Int) in (i + 1) % hidden }
    for part in ["gate.weight", "up.weight", "up.bias"].map({ "\(module).\($0)" }) {
      mutant.weights[part] = try ground.elements(part).rows(order)
    }
    mutant.weights[module + ".down.weight"] =
      try ground.elements(module + ".down.weight").columns(order)
    mutant.pair = [Mutant.Expected(module, "permuted in B"), Mutant.Expected(module, "moved by")]
    return mutant
  },
]

extension Ground {
  /// How many units a feed-forward network has inside.
  fileprivate func hidden(in module: String) -> Int? {
    if case .feedForward(let hidden) = graph.layers[module] { hidden } else { nil }
  }
}
