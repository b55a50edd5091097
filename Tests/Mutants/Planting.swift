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
    for candidate in ground.dice.choose(plant.isForAll ? .max : count, of: candidates) {
      guard var mutant = try plant.plant(&ground, candidate) else { continue }
      let paths = Set(mutant.weights.keys)
      if !paths.isEmpty, mutant.equivalence == nil { mutant.slack = slack(ground, paths) }
      mutants.append(mutant)
    }
  }
  return mutants
}

/// One kind of mistake: where it can be made, and how.
struct Plant: Sendable {
  let candidates: @Sendable (Ground) -> [String]
  /// Whether it is planted in all places, and not in some of them.
  var isForAll = false
  let plant: @Sendable (inout Ground, String) throws -> Mutant?

  init(
    _ candidates: @escaping @Sendable (Ground) -> [String], isForAll: Bool = false,
    plant: @escaping @Sendable (inout Ground, String) throws -> Mutant?
  ) {
    (self.candidates, self.isForAll, self.plant) = (candidates, isForAll, plant)
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
    .filter { ground.graph.layers[$0]?.attention != nil }
}

/// Why changes of some weights may show in no output, if all of them decide something and are no part of it.
private func slack(_ ground: Ground, _ paths: Set<String>) -> String? {
  let reasons = ground.symmetries.reduce(into: [String: String]()) { reasons, symmetry in
    if case .decision(let path) = symmetry.change { reasons[path] = symmetry.reason }
  }
  if paths.allSatisfy({ ground.isPartlyTurned(keyBias: $0) }) {
    return "a key's bias adds the same to all scores of a query in places that no position turns"
  }
  return paths.allSatisfy { reasons[$0] != nil } ? paths.first.flatMap { reasons[$0] } : nil
}

extension Ground {
  /// Whether a weight is the bias of keys of which positions turn a part, and softmax takes away what the rest adds.
  fileprivate func isPartlyTurned(keyBias path: String) -> Bool {
    guard path.hasSuffix(".key.bias"),
      let shape = graph.attention(at: String(path.dropLast(".key.bias".count))),
      let rotary = shape.rotary
    else { return false }
    return rotary.size < shape.headSize && shape.norm == nil && !shape.dependsOnLevel
  }
}

extension Subject {
  /// Every known mistake, each in up to `count` places that the seed chooses.
  public func mutants(count: Int, seed: UInt64) throws -> [Mutant] {
    try Mutants.mutants(of: model.graph, count: count, seed: seed)
  }
}
