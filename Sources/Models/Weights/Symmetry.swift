/// A change of weights that changes no output, as the layers declare it. The mutation score plants it,
/// and complains if an output shows it, or if a change shows in none without such a reason.
public struct Symmetry: Sendable {
  /// A weight whose rows or columns take part, as `repeats` runs of `count` blocks of `block`.
  public struct Part: Sendable {
    /// The weight's path.
    public let path: String
    /// 0 for rows, 1 for columns.
    public let axis: Int
    /// How often the blocks come, one run after the other; each changes alike.
    public let repeats: Int
    /// How many neighbours go together.
    public let block: Int
  }

  /// What may be changed.
  public enum Change: Sendable {
    /// The weight may be anything.
    case anything(String)
    /// The weight decides something and is no part of it: it may be whatever decides the same.
    case decision(String)
    /// The blocks of all parts may change places, in all of them alike. There are so many.
    case order(count: Int, [Part])
    /// So many modules, numbered from 0 under a path, may change places, in runs of `block` neighbours, and
    /// all parts' blocks with them.
    case renumbering(of: String, count: Int, block: Int, [Part])
  }

  /// What it is: `heads renumbered alike everywhere`.
  public let name: String
  /// The module's path.
  public let module: String
  /// What may be changed.
  public let change: Change
  /// Why no output shows it.
  public let reason: String
}

extension LayerFact {
  /// The symmetries of a module.
  ///
  /// - Parameter paths: those of the model's weights.
  package func symmetries(at module: String, among paths: Set<String>) -> [Symmetry] {
    switch self {
    case .attention(let shape): shape.symmetries(at: module, among: paths)
    case .latentAttention(let shape, _): shape.latentSymmetries(at: module, among: paths)
    case .feedForward(let hidden):
      [
        Symmetry(
          name: "hidden units permuted alike", module: module,
          change: .order(
            count: hidden,
            rows(module, ["gate", "up"], among: paths) { _ in (1, 1) }
              + columns(module, "down", among: paths, block: 1)),
          reason: "the hidden units of a feed-forward network are summed, in any order")
      ]
    case .experts(let shape): shape.symmetries(at: module, among: paths)
    case .sum(let count):
      // Matrix and bias are added up each by itself.
      ["weight", "bias"].map { "\(module).\($0)" }.filter(paths.contains).map { path in
        Symmetry(
          name: "addends permuted", module: module,
          change: .order(
            count: count, [Symmetry.Part(path: path, axis: 0, repeats: 1, block: 1)]),
          reason: "the numbers are summed, in any order")
      }
    case .gain, .distanceBias: []
    }
  }
}

extension AttentionShape {
  fileprivate func symmetries(at module: String, among paths: Set<String>) -> [Symmetry] {
    var found: [Symmetry] = []
    let bias = "\(module).key.bias"
    if paths.contains(bias), rotary == nil, norm == nil, !dependsOnLevel {
      found.append(
        Symmetry(
          name: "key bias changed", module: module, change: .anything(bias),
          reason: "a key's bias adds the same to all scores of a query, and softmax cancels it"))
    }
    if keyHeads > 1, !hasHeadBias, norm == nil || norm == .heads {
      let own = rows(module, ["query", "key", "value"], among: paths) { part in
        let size = form(of: part).size
        return (1, part == "query" ? group * size : size)
      }
      found.append(
        Symmetry(
          name: "heads renumbered alike everywhere", module: module,
          change: .order(
            count: keyHeads,
            own + columns(module, "output", among: paths, block: group * valueSize)),
          reason: "the heads of a layer are summed, in any order"))
    }
    if headSize > 1, rotary == nil, norm == nil, !hasOwnPositions {
      found.append(
        Symmetry(
          name: "places of heads permuted in query and key", module: module,
          change: .order(
            count: headSize,
            rows(module, ["query", "key"], among: paths) { (form(of: $0).heads, 1) }),
          reason:
            "without rotary positions a score is a sum over the places of a head, in any order"))
    }
    return found
  }
}

extension AttentionShape {
  /// Those of a layer whose keys and values are made of narrow vectors.
  fileprivate func latentSymmetries(at module: String, among paths: Set<String>) -> [Symmetry] {
    guard heads > 1 else { return [] }
    let sizes = ["query": headSize, "key": rotary?.first ?? headSize, "value": valueSize]
    return [
      Symmetry(
        name: "heads renumbered alike everywhere", module: module,
        change: .order(
          count: heads,
          rows(module, sizes.keys.sorted(), among: paths) { (1, sizes[$0] ?? 1) }
            + columns(module, "output", among: paths, block: valueSize)),
        reason: "the heads of a layer are summed, in any order")
    ]
  }
}

extension ExpertsShape {
  fileprivate func symmetries(at module: String, among paths: Set<String>) -> [Symmetry] {
    // Where groups are chosen first, whole groups change places.
    let count = routing.groups?.count ?? routing.experts
    let block = routing.experts / max(1, count)
    let router = ["weight", "bias", "choice_bias"].map { "\(module).router.\($0)" }
      .filter(paths.contains)
      .map { Symmetry.Part(path: $0, axis: 0, repeats: 1, block: block) }
    let bias = "\(module).router.choice_bias"
    let decisions =
      paths.contains(bias)
      ? [
        Symmetry(
          name: "choice bias changed", module: module, change: .decision(bias),
          reason: "it decides which experts are chosen, and is no part of what they give")
      ] : []
    guard count > 1 else { return decisions }
    return decisions + [
      Symmetry(
        name: "experts renumbered with the router's rows", module: module,
        change: .renumbering(of: module + ".experts", count: count, block: block, router),
        reason: "the chosen experts of a layer are summed, in any order")
    ]
  }
}

/// The rows of weights and biases of some parts of a module.
private func rows(
  _ module: String, _ names: [String], among paths: Set<String>,
  _ form: (String) -> (repeats: Int, block: Int)
) -> [Symmetry.Part] {
  names.flatMap { name in
    let (repeats, block) = form(name)
    return ["weight", "bias"].map { "\(module).\(name).\($0)" }.filter(paths.contains)
      .map { Symmetry.Part(path: $0, axis: 0, repeats: repeats, block: block) }
  }
}

/// The columns of a part's matrix.
private func columns(
  _ module: String, _ name: String, among paths: Set<String>, block: Int
) -> [Symmetry.Part] {
  let path = "\(module).\(name).weight"
  return paths.contains(path) ? [Symmetry.Part(path: path, axis: 1, repeats: 1, block: block)] : []
}
