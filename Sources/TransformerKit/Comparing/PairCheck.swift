import Codecs
public import Kernels
public import Models
public import TensorCore

/// What the comparison of two models found.
public struct PairReport: Sendable {
  /// What they are to each other.
  public enum Verdict: Equatable, Sendable {
    /// The same weights, bit for bit, and the same outputs and states.
    case identical
    /// Every weight is A's, rounded to nearest even in that type, and nothing else differs. Some may be in a
    /// longer type that has every number of A's: a GGUF file has its norms in F32.
    case cast(DType)
    /// Every weight is A's, or A's cast, and some are A's quantised to blocks of these types; nothing else differs.
    case quantized([DType])
    /// Every weight is A's, or A's cast, and some are the nearest codes to A's numbers under their own scales, by the names of
    /// their codecs; nothing else differs.
    case coded([String])
    /// Anything else; the text says where they part.
    case different(String)
  }

  /// A weight.
  public struct Weight: Sendable {
    /// Its canonical path.
    public let path: String
    /// What B's is to A's.
    public let relation: WeightRelation
  }

  /// What is left of a difference when all weights that a known mistake could explain are as in A.
  public enum Rest: Equatable, Sendable {
    /// Nothing.
    case nothing
    /// A was cast to that type.
    case cast(DType)
    /// More, in weights or in configs.
    case more
  }

  /// What they are to each other.
  public let verdict: Verdict
  /// All weights, in the order of the computation.
  public let weights: [Weight]
  /// How far B's outputs and hidden states are from A's. Empty if B cannot take A's inputs.
  public let outputs: [Deviation]
  /// The first stage after which a state differs by more than the casts of the weights explain.
  public let firstDivergence: String?
  /// How the distributions of next tokens differ, where B has blocks and both models give any.
  public let tokens: TokenAgreement?
  /// What differs in the mathematics: `activation: gelu in A, gelu_new in B`.
  public let configDifferences: [String]
  /// Why weights differ, as far as the known mistakes explain it.
  public let explanations: [Explanation]
  /// What is left when these are undone.
  public let rest: Rest
  /// The names of both architectures, if they are not the same.
  public let architectures: (a: String, b: String)?
  /// What they do on a text, if they were run on one.
  public let onText: OnText?
}

/// Compares what two models are, weight by weight, and what they do on the same inputs.
///
/// Both run side by side, stage by stage, so that no more than a stage of each is in memory. When
/// weights were cast and the two do not read the same from their configs, A is run a second time with B's
/// weights: a difference that remains does not come from the cast.
///
/// - Parameters:
///   - given: what to run on; the built-in probe of A if not given, and where configs differ and it shows
///     nothing, one that goes further.
///   - readsText: whether to run on a text, too, if no inputs are given and a tokenizer is there. Where weights and configs
///     are the same, none is run: it would show no more than the probe does.
///   - isBrief: whether a short probe does, if none is given and the models are one computation. Not for
///     a certificate, which is checked on the whole probe.
///   - explaining: whether to look for the causes of differences.
///   - known: what the weights are to each other, if that is known.
///   - progress: hears how far the comparison is.
/// - Throws: `CheckpointError` when a file cannot be read, or A cannot take the inputs.
public func compare<Scalar: ComputeScalar>(
  _ a: Model, _ b: Model, inputs given: ModelInputs? = nil, readsText: Bool = false,
  precision: Scalar.Type = Float.self, isBrief: Bool = false, explaining: Bool = true,
  weights known: [PairReport.Weight]? = nil, progress: WeightProgress? = nil
) throws(CheckpointError) -> PairReport {
  let weights = if let known { known } else { try compareWeights(a.graph, b, progress) }
  let isShort = isBrief && isOneComputation(a.graph, b.graph, weights)
  let inputs =
    given ?? (isShort ? a.graph.shortProbe : a.graph.probe)
  let change = RoundedWeights(weights)
  var (outputs, divergence) = try compareBehaviour(
    a.graph, b.graph, inputs, isProbe: given == nil, weights: weights, Scalar.self, progress)
  let hasBlocks = weights.contains { $0.relation.quantizationError != nil }
  let tokens =
    hasBlocks && !outputs.isEmpty
    ? try TokenAgreement(a.graph, b.graph, inputs, Scalar.self, progress) : nil
  var onText: PairReport.OnText?
  if given == nil, readsText, !isOneComputation(a.graph, b.graph, weights),
    let read = TextProbe.inputs(a, b)
  {
    let found = try compareBehaviour(
      a.graph, b.graph, read, isProbe: false, weights: weights, Scalar.self, progress)
    divergence = divergence ?? found.divergence.map { "\($0), in a text" }
    onText = PairReport.OnText(
      tokenCount: read["input_ids"]?.elements.count ?? 0, outputs: found.outputs,
      tokens: hasBlocks && !found.outputs.isEmpty
        ? try TokenAgreement(a.graph, b.graph, read, Scalar.self, progress) : nil)
  }
  let differing =
    change == nil && explaining ? weights.filter { $0.relation.isExplicable }.map(\.path) : []
  let configDifferences = configDifferences(a.graph, b.graph)
  let rest =
    configDifferences.isEmpty ? rest(of: weights, a.graph, b.graph) : PairReport.Rest.more
  let explanations = try explanations(a.graph, b.graph, of: differing, rest: rest) {
    graph throws(CheckpointError) in
    // A model that does not take A's inputs does not agree with it.
    guard (try? graph.prepare(inputs)) != nil else { return false }
    let (outputs, _) = try compareRuns(a.graph, graph, inputs, Scalar.self, progress)
    return outputs.allSatisfy(\.isIdentical)
  }
  let names = (a: type(of: a.graph.architecture).name, b: type(of: b.graph.architecture).name)
  let architectures = names.a == names.b ? nil : names
  return PairReport(
    verdict: verdict(weights, divergence, change).naming(architectures), weights: weights,
    outputs: outputs, firstDivergence: divergence, tokens: tokens,
    configDifferences: configDifferences, explanations: explanations, rest: rest,
    architectures: architectures, onText: onText)
}

/// What weights that were compared say of two models of which none is run.
public func report(
  on weights: [PairReport.Weight], of a: Model, _ b: Model
) -> PairReport {
  let names = (a: type(of: a.graph.architecture).name, b: type(of: b.graph.architecture).name)
  let architectures = names.a == names.b ? nil : names
  return PairReport(
    verdict: verdict(weights, nil, RoundedWeights(weights)).naming(architectures),
    weights: weights, outputs: [], firstDivergence: nil, tokens: nil,
    configDifferences: configDifferences(a.graph, b.graph), explanations: [], rest: .more,
    architectures: architectures, onText: nil)
}

/// What is left when the weights that a known mistake could explain are as in A.
private func rest(
  of weights: [PairReport.Weight], _ a: WeightGraph, _ b: WeightGraph
) -> PairReport.Rest {
  var casts: [(from: DType, to: DType)] = []
  for weight in weights {
    switch weight.relation {
    case .identical: continue
    case .cast(let from, let to): casts.append((from, to))
    case .different:
      // Undone in the type that it has in B.
      guard let x = a.tensor(at: weight.path), let y = b.tensor(at: weight.path) else {
        return .more
      }
      if x.dtype != y.dtype { casts.append((x.dtype, y.dtype)) }
    default: return .more
    }
  }
  return casts.isEmpty ? .nothing : castType(of: casts).map { .cast($0) } ?? .more
}

extension PairReport.Verdict {
  /// The same, saying first that the architectures are not the same.
  fileprivate func naming(_ architectures: (a: String, b: String)?) -> PairReport.Verdict {
    guard case .different(let place) = self, let (a, b) = architectures else { return self }
    return .different("\(a) in A and \(b) in B, \(place)")
  }
}

/// Whether the same was read from both configs, and all weights are the same bits: then outputs can only be
/// the same, and a short text is enough to see that both run.
private func isOneComputation(
  _ a: WeightGraph, _ b: WeightGraph, _ weights: [PairReport.Weight]
) -> Bool {
  a.isSame(as: b)
    && weights.allSatisfy { $0.relation == .identical }
}

/// What both models run on where they have read other things from their configs, and agree on the built-in
/// probe: something that goes further than both reach; `nil` if the probe does, or if they have read the same.
func farProbe(_ a: WeightGraph, _ b: WeightGraph) -> ModelInputs? {
  if a.isSame(as: b) { return nil }
  return a.architecture.farProbe(a.architecture.reach.joined(b.architecture.reach))
}

/// How long a text is that no model takes for a long one.
private let fewPositions = 4

/// What two models do on the same inputs, and where they part.
///
/// - Parameters:
///   - isProbe: whether the inputs are the built-in probe, so that others may be run, too, if these show
///     nothing. What is found of outputs is that of the first ones.
/// - Throws: `CheckpointError` when weights cannot be read, or A cannot take the inputs.
func compareBehaviour<Scalar: ComputeScalar>(
  _ a: WeightGraph, _ b: WeightGraph, _ inputs: ModelInputs, isProbe: Bool,
  weights: [PairReport.Weight], _: Scalar.Type, _ progress: WeightProgress? = nil
) throws(CheckpointError) -> (outputs: [Deviation], divergence: String?) {
  let near = try compareBehaviour(a, b, inputs, weights, Scalar.self, progress)
  guard near.divergence == nil, isProbe, !a.isSame(as: b) else { return near }
  // Some of what a config says holds for short texts alone: longrope's short factors.
  let few = try compareBehaviour(
    a, b, a.probe(longest: fewPositions), weights, Scalar.self, progress
  ).divergence
  if let few { return (near.outputs, "\(few), in a text of \(fewPositions) positions") }
  guard let far = farProbe(a, b) else { return near }
  let beyond = try compareBehaviour(a, b, far, weights, Scalar.self, progress).divergence
  return (near.outputs, beyond.map { "\($0), beyond what the probe reaches" })
}

private func compareBehaviour<Scalar: ComputeScalar>(
  _ a: WeightGraph, _ b: WeightGraph, _ inputs: ModelInputs, _ weights: [PairReport.Weight],
  _: Scalar.Type, _ progress: WeightProgress?
) throws(CheckpointError) -> (outputs: [Deviation], divergence: String?) {
  var (outputs, divergence): ([Deviation], String?)
  do {
    (outputs, divergence) = try compareRuns(a, b, inputs, Scalar.self, progress)
  } catch  where error.category == .failed && error.file == nil {
    // B does not take what A takes. If A does not either, the inputs are to blame.
    _ = try a.prepare(inputs)
    (outputs, divergence) = ([], "inputs: B \(error)")
  }
  let rounded = weights.filter { $0.relation.isRounding && $0.relation != .identical }
  if divergence != nil, !rounded.isEmpty {
    let isAllRounding = weights.allSatisfy(\.relation.isRounding)
    // With one mathematics, that run of A would be B's own.
    if isAllRounding, a.isSame(as: b) { return (outputs, nil) }
    let roundedA =
      isAllRounding ? a.withWeights(of: b) : a.replacing(Set(rounded.map(\.path)), by: b)
    divergence = try compareRuns(roundedA, b, inputs, Scalar.self, progress).divergence
  }
  return (outputs, divergence)
}

private func compareWeights(
  _ a: WeightGraph, _ model: Model, _ progress: WeightProgress?
) throws(CheckpointError) -> [PairReport.Weight] {
  let b = model.graph
  let quantized = try QuantizedWeights(a, model).relations()
  progress?.expect(a.byteCount(at: a.slots.lazy.map(\.path)))
  var weights: [PairReport.Weight] = []
  for pair in weightPairs(a, b) {
    guard let left = pair.a else {
      weights.append(PairReport.Weight(path: pair.path, relation: .onlyInB))
      continue
    }
    defer { progress?.add(left.byteCount) }
    guard let right = pair.b else {
      weights.append(PairReport.Weight(path: pair.path, relation: .onlyInA))
      continue
    }
    let relation =
      if let known = quantized[storedPath(of: pair.path, a, b)] { known } else {
        try relation(of: right, to: left)
      }
    weights.append(PairReport.Weight(path: pair.path, relation: relation))
  }
  return weights
}

/// The path under which both models store a weight: another one's where both tie it to that.
func storedPath(of path: String, _ a: WeightGraph, _ b: WeightGraph) -> String {
  a.ties[path] == b.ties[path] ? b.ties[path] ?? path : path
}

/// The weights of two models: those of A in the order of its computation, then what only B has.
func weightPairs(
  _ a: WeightGraph, _ b: WeightGraph
) -> [(path: String, a: Tensor?, b: Tensor?)] {
  let pathsOfA = Set(a.slots.map(\.path))
  return a.slots.compactMap { slot in
    a.tensor(at: slot.path).map { (slot.path, $0, b.tensor(at: slot.path)) }
  }
    + b.slots.filter { !pathsOfA.contains($0.path) }.map { ($0.path, nil, b.tensor(at: $0.path)) }
}

/// What was done to weights that are A's, if that is all that was done.
enum RoundedWeights: Equatable {
  /// All that are not identical were cast to a type.
  case cast(DType)
  /// Some were quantised, to these types, and the others perhaps cast.
  case quantized([DType])
  /// Some are codes with scales beside them, of these codecs or makers, and the others perhaps cast.
  case coded([String])

  init?(_ weights: [PairReport.Weight]) {
    var (casts, blocks): ([(from: DType, to: DType)], [DType]) = ([], [])
    var codecs: [String] = []
    for weight in weights {
      switch weight.relation {
      case .identical: continue
      case .cast(let from, let to): casts.append((from, to))
      case .quantized(_, let type, _): if !blocks.contains(type) { blocks.append(type) }
      case .coded(_, let codec, _, let again):
        let maker = again?.maker ?? codec
        if !codecs.contains(maker) { codecs.append(maker) }
      default: return nil
      }
    }
    if !codecs.isEmpty, blocks.isEmpty {
      self = .coded(codecs)
    } else if !blocks.isEmpty {
      self = .quantized(blocks)
    } else if let type = castType(of: casts) {
      self = .cast(type)
    } else {
      return nil
    }
  }

  /// The type of a cast.
  var dtype: DType? { if case .cast(let type) = self { type } else { nil } }
}

/// The type that all weights were cast to which are not identical, if that is all there is.
func castType(of weights: [PairReport.Weight]) -> DType? { RoundedWeights(weights)?.dtype }

/// The one type that casts are to; `nil` if there are several, or none. Casts to types that have every number
/// of the old one count only among themselves.
func castType(of casts: [(from: DType, to: DType)]) -> DType? {
  let narrowing = Set(casts.filter { !$0.to.hasEveryNumber(of: $0.from) }.map(\.to))
  let types = narrowing.isEmpty ? Set(casts.map(\.to)) : narrowing
  return types.count == 1 ? types.first : nil
}

extension DType {
  /// Whether a floating-point type that models compute in has every number of another such type.
  fileprivate func hasEveryNumber(of other: DType) -> Bool {
    switch (other, self) {
    case (.f16, .f32), (.bf16, .f32), (.f16, .f64), (.bf16, .f64), (.f32, .f64): true
    default: false
    }
  }
}

func verdict(
  _ weights: [PairReport.Weight], _ divergence: String?, _ change: RoundedWeights?
) -> PairReport.Verdict {
  if let first = weights.first(where: { !$0.relation.isRounding }) {
    let count = weights.count { !$0.relation.isRounding }
    let others = count == 1 ? "" : " and \(count - 1) more"
    let place = divergence.map { ", first seen in \($0)" } ?? ", seen in no output"
    return .different("weight \(first.path)\(others)\(place)")
  }
  if let divergence { return .different(divergence) }
  switch change {
  case .cast(let type): return .cast(type)
  case .quantized(let types): return .quantized(types)
  case .coded(let codecs): return .coded(codecs)
  case nil: break
  }
  let types = Set(weights.compactMap(\.relation.castType)).map(\.description).sorted()
  return types.isEmpty
    ? .identical
    : .different("weights are cast to \(types.listed), and not to one type")
}

extension WeightRelation {
  /// Whether B's weight is A's, or A's rounded.
  fileprivate var isRounding: Bool {
    switch self {
    case .identical, .cast, .quantized, .coded: true
    default: false
    }
  }
}

/// Runs both models and compares every state after every stage, bit for bit.
private func compareRuns<Scalar: ComputeScalar>(
  _ a: WeightGraph, _ b: WeightGraph, _ inputs: ModelInputs, _: Scalar.Type,
  _ progress: WeightProgress?
) throws(CheckpointError) -> (outputs: [Deviation], divergence: String?) {
  var passA = try ForwardPass<Scalar>(a, inputs: inputs, progress: progress)
  var passB = try ForwardPass<Scalar>(b, inputs: inputs)
  var (outputs, divergence): ([Deviation], String?) = ([], nil)
  let stages = (a: Set(a.weightsByStage.map(\.stage)), b: Set(b.weightsByStage.map(\.stage)))
  while true {
    let resultA = try passA.advance(past: stages.b)
    let resultB = try passB.advance(past: stages.a)
    guard let resultA, let resultB else {
      if resultA?.name != resultB?.name { divergence = divergence ?? "number of stages" }
      return (outputs, divergence)
    }
    let states = differingStates(passA.states, passB.states)
    let isFirst = divergence == nil && (!states.isEmpty || resultA.name != resultB.name)
    if isFirst { divergence = "stage \(resultA.name)" }
    var isAlike = !resultA.outputs.isEmpty && resultA.outputs.count == resultB.outputs.count
    for (x, y) in zip(resultA.outputs, resultB.outputs) {
      guard x.name == y.name, x.value.shape == y.value.shape else {
        isAlike = false
        divergence = divergence ?? "output \(x.name)"
        continue
      }
      let deviation = try Deviation(x.name, y.value, from: x.value)
      isAlike = isAlike && deviation.isIdentical
      if !deviation.isIdentical { divergence = divergence ?? "stage \(resultA.name)" }
      outputs.append(deviation)
    }
    if resultA.outputs.count != resultB.outputs.count {
      divergence = divergence ?? "outputs of stage \(resultA.name)"
    }
    // Where the stage's outputs are the same, it is something else that it leaves to the next.
    if isFirst, isAlike, !states.isEmpty {
      divergence = "stage \(resultA.name), state \(states.joined(separator: ", "))"
    }
  }
}

extension ForwardPass {
  /// Runs the next stage, and before it those which another model does not have and that give no outputs, such as blocks
  /// that only training uses: what they do shows in the states.
  fileprivate mutating func advance(
    past others: Set<String>
  ) throws(CheckpointError) -> StageResult? {
    while let result = try advance() {
      if !result.outputs.isEmpty || others.contains(result.name) { return result }
    }
    return nil
  }
}

/// The states that have not the same bits, as far as they are computed: scores over a vocabulary are
/// compared once, as outputs.
private func differingStates<Scalar: ComputeScalar>(
  _ a: States<Scalar>, _ b: States<Scalar>
) -> [String] {
  if a.names != b.names { return Set(a.names).symmetricDifference(b.names).sorted() }
  return a.names.filter { name in
    guard case .array(let x) = a.value(of: name), case .array(let y) = b.value(of: name) else {
      return a.value(of: name).shape != b.value(of: name).shape
    }
    return !hasEqualBits(x, y)
  }
}
