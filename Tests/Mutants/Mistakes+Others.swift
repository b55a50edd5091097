import Models
import TensorCore

@Sendable private func all(_ ground: Ground) -> [String] {
  ground.graph.slots.filter { !$0.isUnused && ground.graph.ties[$0.path] == nil }.map(\.path)
}

/// Mistakes that are on nobody's list: they must be caught all the same, and named as exactly as can
/// be.
let otherMistakes: [Plant] = [
  plant("one element changed", isListed: false, in: all, pair: "differs", equivalence: keyBias) {
    ground, path in
    let elements = try ground.elements(path)
    let place = ground.dice.below(elements.bytes.count)
    return elements.mapped { $0 == place ? $1 + 0.5 : $1 }
  },
  plant(
    "lowest bit of the largest element", isListed: false, in: all, pair: "differs",
    equivalence: keyBias
  ) {
    ground, path in
    var elements = try ground.elements(path)
    let largest = elements.bytes.indices.max {
      abs(elements.value($0)) < abs(elements.value($1))
    }
    elements.bytes[largest ?? 0][0] ^= 1
    return elements.result
  },
  plant("a row zeroed", isListed: false, in: all, pair: "zero in B", equivalence: keyBias) {
    ground, path in
    let elements = try ground.elements(path)
    let row = ground.dice.below(elements.rows)
    return elements.mapped { $0 / elements.columns == row ? 0 : $1 }
  },
  plant(
    "two rows exchanged", isListed: false, in: all, pair: "exchanged in B", equivalence: keyBias
  ) {
    ground, path in
    let elements = try ground.elements(path)
    guard elements.rows > 1 else { return nil }
    let first = ground.dice.below(elements.rows)
    let second = (first + 1 + ground.dice.below(elements.rows - 1)) % elements.rows
    return elements.rows { $0 == first ? second : $0 == second ? first : $0 }
  },
  plant("sign turned", isListed: false, in: all, pair: "multiplied by -1.0", equivalence: keyBias) {
    ground, path in try ground.elements(path).mapped { -$1 }
  },
  plant("noise of a thousandth", isListed: false, in: all, pair: "differ", equivalence: keyBias) {
    ground, path in
    var dice = Dice(seed: ground.dice.next())
    return try ground.elements(path).mapped {
      $1 * (1 + 1e-3 * (Double(dice.next() >> 11) * 0x1p-52 - 1) + ($0 < 0 ? 1 : 0))
    }
  },
  plant("not a number", isListed: false, in: all, pair: "nan", equivalence: { _ in nil }) {
    ground, path in
    let elements = try ground.elements(path)
    let place = ground.dice.below(elements.bytes.count)
    return elements.mapped { $0 == place ? .nan : $1 }
  },
  Plant({ $0.modules(with: "up.weight", "down.weight").filter { $0.contains("feed_forward") } }) {
    ground, module in
    var mutant = Mutant("hidden units permuted alike", at: module, isListed: false)
    let (up, down) = (
      try ground.elements(module + ".up.weight"), try ground.elements(module + ".down.weight")
    )
    let order = { (i: Int) in (i + 1) % up.rows }
    mutant.weights[module + ".up.weight"] = up.rows(order)
    mutant.weights[module + ".down.weight"] = down.columns(order)
    for path in [module + ".up.bias", module + ".gate.weight"] where ground.paths.contains(path) {
      mutant.weights[path] = try ground.elements(path).rows(order)
    }
    mutant.pair = [Mutant.Expected(module, "permuted in B"), Mutant.Expected(module, "moved by")]
    mutant.equivalence = "the hidden units of a feed-forward network are summed, in any order"
    return mutant
  },
]
