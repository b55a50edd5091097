import Models
import TensorCore
import TransformerKit

/// Plants every known mistake in a model, each in up to `count` places that the seed chooses.
func mutants(of graph: WeightGraph, count: Int, seed: UInt64) throws -> [Mutant] {
  var ground = Ground(graph, seed: seed)
  var mutants: [Mutant] = []
  for plant in matrixMistakes + headMistakes + groupedMistakes + tableMistakes + layerMistakes
    + valueMistakes + expertMistakes
    + configMistakes + otherMistakes
  {
    let candidates = plant.candidates(ground)
    for candidate in ground.dice.choose(count, of: candidates) {
      if let mutant = try plant.plant(&ground, candidate) { mutants.append(mutant) }
    }
  }
  return mutants
}

/// One kind of mistake: where it can be made, and how.
struct Plant: Sendable {
  let candidates: @Sendable (Ground) -> [String]
  let plant: @Sendable (inout Ground, String) throws -> Mutant?

  init(
    _ candidates: @escaping @Sendable (Ground) -> [String],
    plant: @escaping @Sendable (inout Ground, String) throws -> Mutant?
  ) {
    (self.candidates, self.plant) = (candidates, plant)
  }
}

/// A mistake that changes one weight.
func plant(
  _ kind: String, isListed: Bool = true, in candidates: @escaping @Sendable (Ground) -> [String],
  pair: String? = nil, golden: String? = nil,
  equivalence: @escaping @Sendable (Ground, String) -> String? = { _, _ in nil },
  _ change: @escaping @Sendable (inout Ground, String) throws -> Tensor?
) -> Plant {
  Plant(candidates) { ground, path in
    guard let tensor = try change(&ground, path) else { return nil }
    var mutant = Mutant(kind, at: path, isListed: isListed)
    mutant.weights = [path: tensor]
    mutant.pair = pair.map { [Mutant.Expected(path, $0)] } ?? []
    mutant.golden = golden.map { [Mutant.Expected(path, $0)] } ?? []
    mutant.equivalence = equivalence(ground, path)
    return mutant
  }
}

/// Why a weight may be anything, if it may.
@Sendable func freedom(_ ground: Ground, _ path: String) -> String? {
  ground.symmetries.first { symmetry in
    if case .anything(path) = symmetry.change { true } else { false }
  }?.reason
}

@Sendable func linears(_ ground: Ground) -> [String] { ground.slots(.linear).map(\.path) }
@Sendable func biases(_ ground: Ground) -> [String] { ground.slots(.bias).map(\.path) }
@Sendable func gains(_ ground: Ground) -> [String] { ground.slots(.normWeight).map(\.path) }
@Sendable func attentions(_ ground: Ground) -> [String] {
  ground.modules(with: "query.weight", "key.weight", "value.weight")
    .filter { ground.graph.attention(at: $0) != nil }
}

extension Subject {
  /// Every known mistake, each in up to `count` places that the seed chooses.
  public func mutants(count: Int, seed: UInt64) throws -> [Mutant] {
    try Mutants.mutants(of: model.graph, count: count, seed: seed)
  }
}
