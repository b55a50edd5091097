import Kernels
import Models
public import TensorCore

/// What the comparison of a model with a golden found.
public struct GoldenReport: Sendable {
  /// An output of the golden.
  public struct Line: Sendable {
    /// Its name.
    public let name: String
    /// How far the model is from it, unless `fault` says why they cannot be compared.
    public let deviation: Deviation?
    /// Why they cannot be compared.
    public let fault: String?
    /// Whether it is within the limit.
    public let isWithin: Bool
  }

  /// The model's class.
  public let head: String
  /// What made the golden, and what it is known to compute otherwise, if the golden shows it.
  public let framework: String?
  /// The golden's precision.
  public let precision: Golden.Precision
  /// The limit on |error| / largest |value|.
  public let tolerance: Double
  /// The outputs.
  public let lines: [Line]
  /// The stages of which one is the first to compute wrongly: what comes before agrees with the golden.
  public let suspects: [String]
  /// The known mistake without which the model would compute what the framework did.
  public let explanation: String?
  /// What may be the reason, without a proof.
  public let hint: String?

  /// Whether the model computes what the framework did.
  public var isVerified: Bool { lines.allSatisfy(\.isWithin) }
}

/// The bytes of weights that are changed at once to see what several mistakes together would make of them.
private let mostCopied = 1 << 30

extension Model {
  /// Compares the model, run in double precision, with a golden.
  ///
  /// - Parameters:
  ///   - tolerance: the limit on |error| / largest |value| of an output, instead of the one that goes
  ///     with the golden's precision.
  ///   - explaining: whether to look for the mistake when outputs differ.
  ///   - progress: hears how far the first run is.
  /// - Throws: `CheckpointError` if the model cannot run.
  public func check(
    _ golden: Golden, tolerance: Double? = nil, explaining: Bool = true,
    progress: WeightProgress? = nil
  ) throws(CheckpointError) -> GoldenReport {
    let tolerance = tolerance ?? golden.precision.tolerance
    let stages = try stages(graph, golden, tolerance: tolerance, progress: progress)
    let lines = lines(of: golden, in: stages)
    if !lines.allSatisfy(\.isWithin), let report = try deviating(golden, tolerance: tolerance) {
      return report
    }
    let isComparable = lines.allSatisfy { $0.fault == nil }
    let isWrong = !lines.allSatisfy(\.isWithin)
    let suspects = isComparable && isWrong ? suspects(among: stages) : []
    let explanation =
      explaining && isComparable && isWrong
      ? try explanation(of: golden, lines, tolerance: tolerance, suspects: suspects) : nil
    return GoldenReport(
      head: graph.architecture.head, framework: golden.framework, precision: golden.precision,
      tolerance: tolerance, lines: lines, suspects: suspects, explanation: explanation,
      hint: isWrong && explanation == nil ? try hint(golden, explaining: explaining) : nil)
  }

  /// What the comparison finds if the golden shows what its framework is known to compute instead of the
  /// model; `nil` if it does not.
  private func deviating(
    _ golden: Golden, tolerance: Double
  ) throws(CheckpointError) -> GoldenReport? {
    // A golden that does not say it may have been made that way.
    let way = golden.attention ?? "eager"
    guard let other = graph.architecture.deviation(ofAttention: way) else { return nil }
    let stages = try stages(graph.computing(other.model), golden, tolerance: tolerance)
    let framework = golden.framework ?? "a framework"
    let report = GoldenReport(
      head: graph.architecture.head, framework: "\(framework), \(other.text)",
      precision: golden.precision, tolerance: tolerance, lines: lines(of: golden, in: stages),
      suspects: [], explanation: nil, hint: nil)
    return report.isVerified ? report : nil
  }

  private func lines(of golden: Golden, in stages: [StageLines]) -> [GoldenReport.Line] {
    golden.outputs.map { output in
      stages.lazy.flatMap(\.lines).first { $0.name == output.name } ?? missing(output)
    }
  }

  /// The outputs of a stage beside the golden's.
  private struct StageLines {
    let stage: String
    let lines: [GoldenReport.Line]
    /// Whether it set a state that is none of its outputs, so that they do not prove it right.
    let hasOtherStates: Bool

    private var parts: [Substring] { stage.split(separator: ".") }
    var isBlock: Bool { parts.contains("blocks") }
    /// The names before that of the block, or of the stage.
    var stack: [Substring] {
      parts.firstIndex(of: "blocks").map { Array(parts[..<$0]) } ?? parts.dropLast()
    }
  }

  /// Runs the model and compares the outputs of each stage with the golden's.
  ///
  /// - Parameter stopping: whether to stop after the first stage that is wrong.
  private func stages(
    _ graph: WeightGraph, _ golden: Golden, tolerance: Double, stopping: Bool = false,
    progress: WeightProgress? = nil
  ) throws(CheckpointError) -> [StageLines] {
    var pass = try ForwardPass<Double>(graph, inputs: golden.inputs, progress: progress)
    var (stages, states): ([StageLines], Set<String>) = ([], [])
    while let result = try pass.advance() {
      let others = Set(pass.states.names).subtracting(states).subtracting(result.states)
      states.formUnion(pass.states.names)
      var lines: [GoldenReport.Line] = []
      for output in result.outputs {
        guard let expected = golden.outputs.first(where: { $0.name == output.name }) else {
          continue
        }
        lines.append(try line(output.value, expected: expected, tolerance: tolerance))
      }
      stages.append(
        StageLines(stage: result.name, lines: lines, hasOtherStates: !others.isEmpty))
      if stopping, !lines.allSatisfy(\.isWithin) { break }
    }
    return stages
  }

  /// The stages after the last one that is known to be right, up to the first that is wrong; and those
  /// before of which it is not known.
  private func suspects(among stages: [StageLines]) -> [String] {
    guard let wrong = stages.firstIndex(where: { !$0.lines.allSatisfy(\.isWithin) }) else {
      return []
    }
    let right = stages[..<wrong].lastIndex { !$0.lines.isEmpty } ?? -1
    // A stage without weights, such as that of a pooler that a model has not, is right.
    let bare = Set(graph.weightsByStage.filter(\.paths.isEmpty).map(\.stage))
    return stages[...wrong].enumerated().filter { index, stage in
      let isOpen = index > right || stage.hasOtherStates && !hasRightBlock(after: index, wrong)
      return index == wrong || isOpen && !bare.contains(stage.stage)
    }.map(\.1.stage)

    /// Whether a block of a stack behind the stage is right, and with it the states that all blocks read.
    func hasRightBlock(after index: Int, _ wrong: Int) -> Bool {
      let stack = stages[index].stack
      return stages[(index + 1)..<max(index + 1, wrong)].contains {
        $0.isBlock && $0.stack.starts(with: stack) && !$0.lines.isEmpty
      }
    }
  }

  /// Undoes known mistakes one by one until the golden is reached, then the same one in several places.
  private func explanation(
    of golden: Golden, _ lines: [GoldenReport.Line], tolerance: Double, suspects: [String]
  ) throws(CheckpointError) -> String? {
    func weights(_ isMeant: (String) -> Bool) -> Set<String> {
      Set(graph.weightsByStage.filter { isMeant($0.stage) }.flatMap(\.paths))
    }
    let suspected = weights(suspects.contains)
    let worst = lines.compactMap(\.deviation?.relative).filter(\.isFinite).max() ?? 0
    func isRight(_ trial: Trial) throws(CheckpointError) -> Bool {
      // What a weight in single precision may be off by, after it was scaled and scaled back: little beside
      // what is wrong now.
      let limit = trial.isRounded ? max(tolerance, min(1e-4, worst / 100)) : tolerance
      guard let graph = try trial.undo(graph),
        let stages = try? stages(graph, golden, tolerance: limit, stopping: true)
      else { return false }
      let lines = stages.flatMap(\.lines)
      guard lines.count == golden.outputs.count, lines.allSatisfy(\.isWithin) else { return false }
      // What was wrong is not just a little beyond the limit, and a little within it now.
      let left = lines.compactMap(\.deviation?.relative).filter(\.isFinite).max() ?? 0
      return 4 * left <= max(worst, .leastNonzeroMagnitude) || worst == 0
    }
    // Changing what the wrong stages do not use changes nothing.
    for trial in Trial.all(for: self)
    where trial.paths.map({ !suspected.isDisjoint(with: $0) }) ?? true {
      if try isRight(trial) { return trial.text }
    }
    // What is in all layers is in none that is known to be right.
    let before = graph.weightsByStage.map(\.stage).prefix { $0 != suspects.last }
    let right = weights { before.contains($0) && !suspects.contains($0) }.subtracting(suspected)
    for trial in Trial.together(for: self) {
      guard let paths = trial.paths, right.isDisjoint(with: paths),
        !suspected.isDisjoint(with: paths), graph.byteCount(at: paths) <= mostCopied
      else { continue }
      if try isRight(trial) { return trial.text }
    }
    return try solution(of: golden, tolerance: tolerance)
  }

  /// The number in the config with which the golden is reached, if it is none of the usual ones.
  private func solution(
    of golden: Golden, tolerance: Double
  ) throws(CheckpointError) -> String? {
    let wrong = try stages(graph, golden, tolerance: tolerance, stopping: true).flatMap(\.lines)
      .first { !$0.isWithin }
    guard let wrong, let solver = FactSolver(self, golden, firstWrong: wrong.name) else {
      return nil
    }
    for fact in graph.facts {
      for value in try solver.candidates(for: fact) {
        guard let changed = with([(fact.path, .double(value))]),
          let stages = try? stages(changed, golden, tolerance: tolerance, stopping: true)
        else { continue }
        let lines = stages.flatMap(\.lines)
        if lines.count == golden.outputs.count, lines.allSatisfy(\.isWithin) {
          return "config: \(fact.key) should be \(JSONValue.double(value).text())"
        }
      }
    }
    return nil
  }

  /// What may be the reason of a difference that nothing explains.
  private func hint(_ golden: Golden, explaining: Bool) throws(CheckpointError) -> String? {
    if let hint = golden.hint ?? routingHint(golden) { return hint }
    return explaining ? try precisionHint() : nil
  }

  /// What a golden in half precision does not decide about experts.
  private func routingHint(_ golden: Golden) -> String? {
    let isRouted = graph.layers.values.contains { layer in
      if case .experts = layer { true } else { false }
    }
    guard isRouted, [.bf16, .f16].contains(golden.precision) else { return nil }
    return "where two experts are nearly as good, a router may choose another one in"
      + " \(golden.precision.rawValue): a golden in f32 or more decides"
  }

  /// Digits that the golden's model may have had, and this one has not.
  private func precisionHint() throws(CheckpointError) -> String? {
    let tensors = graph.slots.compactMap { graph.tensor(at: $0.path) }
    for type in [DType.bf16, .f16] {
      if tensors.allSatisfy({ $0.dtype == type }) {
        return "all weights are \(type): a golden of the model before that cast is further away"
      }
      // What is no number, or all the same, was not rounded.
      var (isHeld, isVaried) = (true, false)
      for tensor in tensors where isHeld {
        isHeld = try tensor.holdsOnlyNumbers(of: type)
        if isHeld, !isVaried { isVaried = try !tensor.isConstant() }
      }
      if isHeld, isVaried {
        return "all weights hold numbers of \(type) in a wider type: they have been rounded before"
      }
    }
    return nil
  }

  private func missing(_ expected: NamedArray<Double>) -> GoldenReport.Line {
    GoldenReport.Line(
      name: expected.name, deviation: nil, fault: "\(graph.architecture.head) has no such output",
      isWithin: false)
  }

  private func line(
    _ output: StateValue<Double>, expected: NamedArray<Double>, tolerance: Double
  ) throws(CheckpointError) -> GoldenReport.Line {
    guard output.shape == expected.array.shape else {
      return GoldenReport.Line(
        name: expected.name, deviation: nil,
        fault: "the model's shape is \(describe(shape: output.shape)),"
          + " the golden's \(describe(shape: expected.array.shape))", isWithin: false)
    }
    let deviation = try Deviation(expected.name, output, from: .array(expected.array))
    // Written so that a NaN is not within any limit.
    let isWithin = deviation.relative <= tolerance
    return GoldenReport.Line(
      name: expected.name, deviation: deviation, fault: nil, isWithin: isWithin)
  }
}

extension Golden {
  /// What is wrong with the golden itself: no model agrees with what is not a number.
  fileprivate var hint: String? {
    for output in outputs {
      let elements = output.array.elements
      let count = elements.count(where: \.isNaN)
      if count > 0 {
        return
          "the golden's own \(output.name) is NaN in \(count) of \(elements.count) numbers"
      }
    }
    return nil
  }
}

extension Tensor {
  /// Whether every element is a number that a narrower type has, too.
  fileprivate func holdsOnlyNumbers(of type: DType) throws(CheckpointError) -> Bool {
    guard dtype.isComputable, dtype.bitWidth > type.bitWidth else { return dtype == type }
    for start in stride(from: 0, to: elementCount, by: 1 << 16) {
      let values = try doubles(start..<min(start + 1 << 16, elementCount))
      let isHeld = values.allSatisfy { value in
        value.isNaN || type.value(ofBits: type.roundedBits(of: value)) == value
      }
      if !isHeld { return false }
    }
    return true
  }
}
