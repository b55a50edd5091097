import Models
import TensorCore

@Sendable private func deepStacks(_ ground: Ground) -> [String] {
  ground.stacks.filter { $0.layers > 1 }.map(\.name)
}

/// Layers in the wrong order, or twice.
let layerMistakes: [Plant] = [
  Plant(deepStacks) { ground, stack in
    let layers = ground.stacks.first { $0.name == stack }?.layers ?? 0
    let first = ground.dice.below(layers - 1)
    let second = first + 1 + ground.dice.below(layers - first - 1)
    var order = Array(0..<layers)
    order.swapAt(first, second)
    guard
      var mutant = try ground.relayered(
        "layers exchanged", "\(stack).\(first)", stack, order)
    else { return nil }
    mutant.pair = [
      Mutant.Expected("\(stack).\(first)", "exchanged with \(stack).\(second)")
    ]
    mutant.golden = [Mutant.Expected(stack, "layers \(first) and \(second) exchanged")]
    if layers == 2 {
      mutant.golden.append(Mutant.Expected(stack, "layers in reverse order"))
    }
    return mutant
  },
  Plant(deepStacks) { ground, stack in
    let layers = ground.stacks.first { $0.name == stack }?.layers ?? 0
    let order = (0..<layers).map(String.init).sorted().compactMap { Int($0) }
    guard order != Array(0..<layers),
      var mutant = try ground.relayered("layers sorted as text", stack, stack, order)
    else { return nil }
    mutant.pair = [Mutant.Expected(stack, "in the order of their numbers as text in B")]
    mutant.golden = [Mutant.Expected(stack, "layers in the order of their numbers as text")]
    return mutant
  },
  Plant(deepStacks) { ground, stack in
    let layers = ground.stacks.first { $0.name == stack }?.layers ?? 0
    let to = 1 + ground.dice.below(layers - 1)
    var order = Array(0..<layers)
    order[to] = to - 1
    guard
      var mutant = try ground.relayered("a layer twice", "\(stack).\(to)", stack, order)
    else { return nil }
    mutant.pair = [Mutant.Expected("\(stack).\(to)", "a copy of A's \(stack).\(to - 1)")]
    return mutant
  },
]

extension Ground {
  /// Layer `i` becomes layer `order[i]`, where they are alike.
  fileprivate func relayered(
    _ kind: String, _ place: String, _ stack: String, _ order: [Int]
  ) throws -> Mutant? {
    var mutant = Mutant(kind, at: place)
    for (layer, source) in order.enumerated() where layer != source {
      for path in weights(in: "\(stack).\(layer)") {
        let other = "\(stack).\(source)" + path.dropFirst("\(stack).\(layer)".count)
        // A table that only the first layer has belongs to the stack.
        guard graph.tensor(at: other)?.shape == shape(path) else { continue }
        mutant.weights[path] = try tensor(other)
      }
    }
    return mutant.weights.isEmpty ? nil : mutant
  }
}
