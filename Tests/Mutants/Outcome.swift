import Decoders
import Kernels
import Models
import TensorCore
import TransformerKit

/// What became of a planted mistake.
public struct Outcome: Sendable {
  /// The mistake.
  public let mutant: Mutant
  /// The model it was planted in.
  public let subject: String
  public let family: String
  /// Whether a reader or the mapping refused the file, which catches it before any gate.
  public var isRefused = false
  /// Whether any output on the built-in probe or on the golden's inputs changes by more than
  /// rounding.
  public var showsOnProbe = false
  /// Whether an output that the golden holds changes by more than the golden's limit.
  public var showsInGolden = false
  /// What the comparison with the original says, a line each; empty if it finds no difference.
  public var pairLines: [String] = []
  public var isCaughtByPair = false
  /// What the comparison with the golden says.
  public var goldenLines: [String] = []
  public var isCaughtByGolden = false
  /// Whether the golden's comparison blames a stage that the mistake is in.
  public var isPlaced = false
  /// Whether no input reaches what was changed: an expert that nothing chose.
  public var isUnreached = false
  /// Whether what was changed is so small a part of the outputs that its change is rounding: a unit that is
  /// nearly off.
  public var isRounding = false
  /// Which of the common gates let it pass.
  public var passed: [String] = []

  init(_ mutant: Mutant, in subject: Subject) {
    self.mutant = mutant
    self.subject = subject.name
    family = subject.family
  }

  /// Whether the comparison with the original names the right cause.
  public var isExplainedByPair: Bool { isExplained(mutant.pair, pairLines) }
  /// Whether the comparison with the golden names the right cause.
  public var isExplainedByGolden: Bool { isExplained(mutant.golden, goldenLines) }

  /// Why no output shows it; `nil` also if there should be a reason and is none.
  public var equivalence: String? {
    if showsOnProbe { return nil }
    if let reason = mutant.equivalence ?? mutant.slack { return reason }
    if isUnreached { return "no input reaches it" }
    return isRounding ? "the change of so small a part of the outputs is rounding" : nil
  }

  private func isExplained(_ expected: [Mutant.Expected], _ lines: [String]) -> Bool {
    lines.contains { line in expected.contains { $0.isSaid(by: line) } }
  }
}

/// Whether two models compute the same with the same weights although their configs say something else: they have read
/// the same, or their rotary positions turn as fast, in texts of any length.
private func isSameMathematics(_ a: any Architecture, _ b: any Architecture) -> Bool {
  if a.isSame(as: b) { return true }
  guard let a = (a as? any CausalDecoder)?.form, var b = (b as? any CausalDecoder)?.form,
    a.rotaries.count == b.rotaries.count
  else { return false }
  let lengths = [1, 4, 64, 512, 4096, 1 << 17, 1 << 24]
  let turnAlike = zip(a.rotaries, b.rotaries).allSatisfy { a, b in
    a.turned == b.turned
      && lengths.allSatisfy { a.frequencies(length: $0) == b.frequencies(length: $0) }
  }
  b.rotaries = a.rotaries
  return turnAlike && a == b
}

/// Changes of double precision outputs below this are rounding.
private let rounding = 1e-12

extension Subject {
  /// Plants a mistake and asks every gate.
  ///
  /// - Returns: `nil` if the model's dialect has no place for the result, or it changes nothing.
  public func outcome(of mutant: Mutant) throws -> Outcome? {
    var outcome = Outcome(mutant, in: self)
    let wrong: Model
    do {
      wrong = try model(with: mutant)
    } catch let error as CheckpointError {
      // A converter cannot make a file that its dialect has no form for.
      if error.details.contains(where: { $0.hasPrefix("no place") || $0.hasPrefix("impossible") }) {
        return nil
      }
      outcome.isRefused = true
      return outcome
    }
    if try ModelID(wrong.graph).digest == ModelID(model.graph).digest { return nil }
    let change = try largestChange(wrong.graph, golden.inputs) { name in
      golden.outputs.contains { $0.name == name }
    }
    outcome.showsInGolden = change > golden.precision.tolerance
    let (right, other) = (model.graph.architecture, wrong.graph.architecture)
    let far = mutant.config.isEmpty ? nil : right.farProbe(right.reach.joined(other.reach))
    let few = mutant.config.isEmpty ? [] : [right.probe(longest: 4)]
    outcome.showsOnProbe =
      try change > rounding
      || ([right.probe] + few + [far].compactMap(\.self)).contains {
        try largestChange(wrong.graph, $0, { _ in true }) > rounding
      }
    if !outcome.showsOnProbe, mutant.weights.isEmpty,
      mutant.slack != nil || isSameMathematics(right, other)
    {
      return nil
    }
    if !outcome.showsOnProbe, outcome.equivalence == nil, !mutant.weights.isEmpty {
      outcome.isUnreached = try isUnreached(mutant)
      if !outcome.isUnreached { outcome.isRounding = try isRounding(mutant) }
    }
    try askPair(wrong, &outcome)
    try askGolden(wrong, &outcome)
    outcome.passed = commonGates.filter { $0.passes(model.graph, wrong.graph, golden.inputs) }
      .map(\.name)
    return outcome
  }

  private func askPair(_ wrong: Model, _ outcome: inout Outcome) throws {
    let report = try compare(model, wrong, precision: Float.self)
    guard case .different(let place) = report.verdict else { return }
    outcome.isCaughtByPair = true
    outcome.pairLines =
      [place] + report.explanations.map(\.text) + report.configDifferences.map { "config \($0)" }
  }

  private func askGolden(_ wrong: Model, _ outcome: inout Outcome) throws {
    // What no output holds is looked for in vain, and for long.
    let report: GoldenReport
    do {
      report = try wrong.check(golden, explaining: !outcome.mutant.golden.isEmpty)
    } catch {
      // The golden's inputs are none of the wrong model's: said as an error, and nothing is verified.
      outcome.isCaughtByGolden = true
      outcome.goldenLines = [error.description]
      return
    }
    outcome.isCaughtByGolden = !report.isVerified
    outcome.goldenLines = [report.explanation].compactMap(\.self)
    let blamed = wrong.graph.weightsByStage.filter { report.suspects.contains($0.stage) }
      .flatMap(\.paths)
    outcome.isPlaced =
      outcome.mutant.weights.isEmpty || blamed.contains { outcome.mutant.weights[$0] != nil }
  }

  /// Whether outputs stay the same if what the mistake changes is no number at all, or is a thousandth more or less: a
  /// unit that is off for all inputs hands on what is no number, and nothing else.
  private func isUnreached(_ mutant: Mutant) throws -> Bool {
    let nothing = try mutant.weights.mapValues { tensor in
      try Elements(tensor).mapped { _, _ in .nan }
    }
    if try isWithoutEffect(nothing) { return true }
    return try [0.999, 1.001].allSatisfy { factor in
      var nudged: [String: Tensor] = [:]
      for (path, tensor) in mutant.weights {
        guard let right = model.graph.tensor(at: path), right.shape == tensor.shape else {
          return false
        }
        let (old, new) = (try Elements(right), try Elements(tensor))
        nudged[path] = old.mapped { place, value in
          old.bytes[place] == new.bytes[place] ? value : value * factor
        }
      }
      return try isWithoutEffect(nudged)
    }
  }

  /// Whether no output changes at all.
  private func isWithoutEffect(_ weights: [String: Tensor]) throws -> Bool {
    let graph = model.graph.replacing(weights)
    return try [golden.inputs, model.graph.architecture.probe].allSatisfy {
      try largestChange(graph, $0) { _ in true } == 0
    }
  }

  /// Whether what the mistake changes, times how much it changes it, is rounding: outputs without the changed
  /// elements say how large a part of them these are.
  private func isRounding(_ mutant: Mutant) throws -> Bool {
    var change = 0.0
    var without: [String: Tensor] = [:]
    for (path, tensor) in mutant.weights {
      guard let right = model.graph.tensor(at: path), right.shape == tensor.shape else {
        return false
      }
      let (old, new) = (try Elements(right), try Elements(tensor))
      without[path] = old.mapped { place, value in
        if old.bytes[place] == new.bytes[place] { return value }
        change = max(change, abs(new.value(place) - value) / abs(value))
        return 0
      }
    }
    let graph = model.graph.replacing(without)
    return try [golden.inputs, model.graph.architecture.probe].allSatisfy {
      try largestChange(graph, $0) { _ in true } * change <= rounding
    }
  }

  /// The largest relative change of an output in double precision.
  private func largestChange(
    _ wrong: WeightGraph, _ inputs: ModelInputs, _ counts: (String) -> Bool
  ) throws -> Double {
    // A model that does not take the inputs any more has certainly changed.
    guard var passB = try? ForwardPass<Double>(wrong, inputs: inputs) else { return .infinity }
    var passA = try ForwardPass<Double>(model.graph, inputs: inputs)
    let outputs = (try passA.run(hiddenStates: true), try passB.run(hiddenStates: true))
    return zip(outputs.0, outputs.1).filter { counts($0.0.name) }.map { a, b in
      a.array.shape == b.array.shape
        ? Deviation(a.name, b.array, from: a.array).relative : .infinity
    }.max() ?? 0
  }
}
