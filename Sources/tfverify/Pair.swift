import ArgumentParser
import CommandSupport
import SystemPackage
import TensorCore
import TransformerKit

struct Pair: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Compare two models (what tfverify does without a verb).",
    discussion: """
      Weights are compared bit for bit under their canonical paths, and all outputs and states on \
      the same inputs. The verdict is one of
        identical            weights, outputs and states are the same, bit for bit
        B is A cast to TYPE  every weight is A's, rounded; nothing else differs
        different            anything else (exit code 1)

      Examples:
        tfverify bert-base/ bert.npz
        tfverify bert-base/ bert-bf16/ --inputs inputs.npz
        tfverify a.safetensors b.safetensors --config config.json -q
      """)

  @Argument(help: "The first model.")
  var a: FilePath

  @Argument(help: "The second model.")
  var b: FilePath

  @Option(help: "Arrays to run on, instead of the built-in probe.")
  var inputs: FilePath?

  @Option(help: "The precision of the forward pass: f32 or f64.")
  var precision = Precision.f32

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    try prepareArithmetic()
    let first = try Model(a, options: sourceOptions.options)
    let second = try Model(b, options: sourceOptions.options)
    common.explain(first)
    common.explain(second)
    let inputs = try inputs.map { try ArrayFile($0).inputs() }
    let report =
      switch precision {
      case .f32: try compare(first, second, inputs: inputs, precision: Float.self)
      case .f64: try compare(first, second, inputs: inputs, precision: Double.self)
      }
    if common.json {
      standardOutput(json(report).text(pretty: true))
    } else {
      if !common.quiet { printDetails(report) }
      for line in report.reasons where !common.quiet { standardOutput(line) }
      standardOutput(report.verdict.text)
    }
    if case .different = report.verdict { return .negative }
    return .success
  }

  private func printDetails(_ report: PairReport) {
    var counts = (identical: 0, cast: 0, other: 0)
    for weight in report.weights {
      switch weight.relation {
      case .identical: counts.identical += 1
      case .cast: counts.cast += 1
      default:
        counts.other += 1
        standardOutput("weight  \(weight.path): \(weight.relation.text)")
      }
    }
    standardOutput(
      "weights \(report.weights.count): \(counts.identical) identical, \(counts.cast) cast,"
        + " \(counts.other) different")
    if report.outputs.isEmpty { return }
    var table = Table([
      ("OUTPUT", .left), ("SHAPE", .left), ("MAX ERROR", .right), ("RELATIVE", .right),
    ])
    for output in report.outputs {
      let error = output.isIdentical ? "identical" : describe(error: output.error)
      let relative = output.isIdentical ? "" : describe(error: output.relative)
      table.add([output.name, describe(shape: output.shape), error, relative])
    }
    for line in table.lines() { standardOutput(line) }
  }

  private func json(_ report: PairReport) -> JSONValue {
    let weights: [JSONValue] = report.weights.map {
      ["path": .string($0.path), "relation": .string($0.relation.text)]
    }
    let explanations: [JSONValue] = report.explanations.map {
      [
        "place": .string($0.place), "paths": .array($0.paths.map { .string($0) }),
        "cause": $0.cause.map { .string($0.text) } ?? .null,
        "sufficient": .bool($0.isSufficient),
      ]
    }
    return [
      "schema": "tfverify.pair/1", "verdict": .string(report.verdict.name),
      "explanation": .string(report.verdict.text), "weights": .array(weights),
      "outputs": .array(report.outputs.map(\.json)),
      "first_divergence": report.firstDivergence.map { .string($0) } ?? .null,
      "config_differences": .array(report.configDifferences.map { .string($0) }),
      "explanations": .array(explanations),
    ]
  }
}

extension PairReport {
  /// Why the models differ, a line each.
  fileprivate var reasons: [String] {
    let all = explanations.count > 1 && !explanations.contains(where: \.isSufficient)
    let isExplained = explanations.allSatisfy { $0.cause != nil } && configDifferences.isEmpty
    return configDifferences.map { "config \($0)" } + explanations.map(\.text)
      + (all && isExplained ? ["undoing all of these makes all outputs agree"] : [])
  }
}

extension PairReport.Verdict {
  fileprivate var name: String {
    switch self {
    case .identical: "identical"
    case .cast: "cast"
    case .different: "different"
    }
  }

  fileprivate var text: String {
    switch self {
    case .identical: "identical"
    case .cast(let type): "B is A cast to \(type)"
    case .different(let place): "different: \(place)"
    }
  }
}

extension WeightRelation {
  fileprivate var text: String {
    switch self {
    case .identical: "identical"
    case .cast(let from, let to): "cast from \(from) to \(to)"
    case .different(1, let first): "element \(first) differs"
    case .different(let count, let first): "\(count) elements differ, the first is element \(first)"
    case .misshapen(let a, let b): "A has \(describe(shape: a)), B \(describe(shape: b))"
    case .onlyInA: "only in A"
    case .onlyInB: "only in B"
    }
  }
}

extension Deviation {
  /// The facts for a JSON report.
  var json: JSONValue {
    [
      "name": .string(name), "shape": .array(shape.map { .number($0) }),
      "max_error": .number(error), "relative": .number(relative), "scale": .number(scale),
      "worst_row": .array(worstRow.map { .number($0) }), "identical": .bool(isIdentical),
    ]
  }
}
