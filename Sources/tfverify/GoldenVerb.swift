import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct GoldenVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "golden",
    abstract: "Compare a model with stored outputs of the original framework.",
    discussion: """
      GOLDEN is an npz with arrays inputs/NAME and outputs/NAME; Tools/golden makes one. The model \
      runs in double precision. The limit is on |error| / largest |value| of an output: 1e-10 for a \
      golden labelled exact-f64, 1e-5 for one labelled f64 or f32 or not labelled, eight epsilons \
      of the type for f16 and bf16.

      Examples:
        tfverify golden bert-base/ golden.npz
        tfverify golden bert.npz golden.npz --tolerance 1e-6
        tfverify golden bert-base/ golden.npz --json
        tfverify golden bert-base/ golden.npz --junit golden.xml
      """)

  @Argument(help: "The model.")
  var model: FilePath

  @Argument(help: "The golden.")
  var golden: FilePath

  @Option(
    help: ArgumentHelp(
      "The limit on |error| / largest |value|, instead of the golden's own.", valueName: "number"))
  var tolerance: Double?

  @OptionGroup var junit: JUnitOption
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard tolerance.map({ $0 >= 0 && $0.isFinite }) ?? true else {
      throw ValidationError("--tolerance must be a number that is not negative")
    }
  }

  func perform() throws -> ExitStatus {
    try junit.reporting("golden", [model, golden], about: model) {
      try prepareArithmetic()
      let model = try opened()
      common.explain(model)
      var hasRoom = true
      let golden = try Golden(golden) { inputs, count throws(CheckpointError) in
        let needed = VerificationMemory(model.graph, goldenWith: inputs, outputElements: count)
        hasRoom = try memory.keep(needed, for: self.model)
      }
      let (bar, progress) = progressOptions.weightProgress(common)
      let report = try model.check(
        golden, tolerance: tolerance, explaining: hasRoom, progress: progress)
      bar.finish()
      if !hasRoom, !report.isVerified {
        standardError("--memory leaves no room to look for causes")
      }
      printAll(report)
      return (report.isVerified ? .success : .negative, report.testCases)
    }
  }

  /// The model; an error that says so if it is the golden, and the other argument the model.
  private func opened() throws -> Model {
    do {
      return try Model(model, options: sourceOptions.options)
    } catch {
      guard (try? Golden(model)) != nil else { throw error }
      throw CheckpointError(
        .malformed("is a golden, and the model comes first: tfverify golden MODEL GOLDEN"),
        file: displayed(model))
    }
  }

  private func printAll(_ report: GoldenReport) {
    if common.json { return standardOutput(json(report).text(pretty: true)) }
    if !common.quiet {
      printTable(report)
      standardOutput(prose: report.reasons)
    }
    standardOutput(prose: [verdict(report)])
  }

  private func printTable(_ report: GoldenReport) {
    var table = Table([
      ("OUTPUT", .left), ("SHAPE", .left), ("MAX ERROR", .right), ("RELATIVE", .right),
      ("WORST ROW", .left), ("", .left),
    ])
    for line in report.lines {
      if let deviation = line.deviation {
        table.add([
          escaped(line.name), describe(shape: deviation.shape), describe(error: deviation.error),
          describe(error: deviation.relative), describe(shape: deviation.worstRow),
          line.isWithin ? "ok" : "DIFFERS",
        ])
      } else {
        table.add([escaped(line.name), "", "", "", "", line.fault ?? ""])
      }
    }
    for line in table.lines() { standardOutput(line) }
  }

  private func verdict(_ report: GoldenReport) -> String {
    let framework = escaped(report.framework ?? "an unnamed framework")
    let golden = "\(framework) (\(report.precision.rawValue))"
    let limit = "limit \(describe(error: report.tolerance))"
    if common.quiet { return report.isVerified ? "verified" : "different" }
    let wrong = report.lines.filter { !$0.isWithin }.count
    return report.isVerified
      ? "verified: \(report.head) agrees with \(golden), \(limit)"
      : "different: \(wrong) of \(report.lines.count) outputs differ from \(golden), \(limit)"
  }

  private func json(_ report: GoldenReport) -> JSONValue {
    let lines: [JSONValue] = report.lines.map { line in
      line.deviation.map { deviation in
        guard case .object(let members) = deviation.json else { return deviation.json }
        return .object(members + [JSONValue.Member("within", .bool(line.isWithin))])
      } ?? ["name": .string(line.name), "fault": .string(line.fault ?? ""), "within": false]
    }
    return [
      "schema": "tfverify.golden/1", "verdict": report.isVerified ? "verified" : "different",
      "head": .string(report.head),
      "framework": report.framework.map { .string($0) } ?? .null,
      "precision": .string(report.precision.rawValue), "tolerance": .number(report.tolerance),
      "outputs": .array(lines),
      "suspects": .array(report.suspects.map { .string($0) }),
      "explanation": report.explanation.map { .string($0) } ?? .null,
      "hint": report.hint.map { .string($0) } ?? .null,
    ]
  }
}

extension GoldenReport {
  /// Why the model does not reach the golden, a line each.
  var reasons: [String] {
    var reasons: [String] = []
    if let last = suspects.last {
      let others = suspects.dropLast()
      let end = others.isEmpty ? "" : ", or in \(others.joined(separator: ", ")) before it"
      reasons.append("first wrong in stage \(last)\(end)")
    }
    if let explanation { reasons.append("\(explanation); undoing it reaches the golden") }
    return reasons + (hint.map { [$0] } ?? [])
  }
}
