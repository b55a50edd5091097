import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

/// The test report for CI systems.
struct JUnitOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Also write a JUnit XML report, for CI. A report that is there is replaced.",
      valueName: "file"))
  var junit: FilePath?

  /// Checks something, and writes a report of what came of it, be it an error.
  ///
  /// - Parameters:
  ///   - verb: what is done, `pair`.
  ///   - paths: what with, as it was typed.
  ///   - model: the one of them that the tests are about.
  ///   - body: checks, prints, and gives the exit status and the tests.
  func reporting(
    _ verb: String, _ paths: [FilePath], about model: FilePath,
    _ body: () throws -> (ExitStatus, [JUnitReport.Case])
  ) throws -> ExitStatus {
    guard let junit else { return try body().0 }
    let file = SmallFile(junit, replacing: .beginning(with: Array("<?xml".utf8)))
    try file.check()
    let name = (["tfverify", verb] + paths.map(displayed)).joined(separator: " ")
    let subject = model.lastComponent.map { displayed(FilePath(root: nil, [$0])) } ?? ""
    func write(_ cases: [JUnitReport.Case]) throws {
      try file.write(JUnitReport(name, package: [verb, subject], cases: cases).xml)
    }
    let (status, cases): (ExitStatus, [JUnitReport.Case])
    do {
      (status, cases) = try body()
    } catch let error as CheckpointError {
      // What is wrong is said by the exit code already; a report that cannot be written adds nothing.
      try? write([JUnitReport.Case("error", verb, .error("\(error)"))])
      throw error
    }
    try write(cases)
    return status
  }
}

extension PairReport {
  /// A test for each module with weights, each output, and the verdict.
  var testCases: [JUnitReport.Case] {
    weightCases + outputCases + [JUnitReport.Case("verdict", "verdict", verdictOutcome)]
  }

  private var weightCases: [JUnitReport.Case] {
    var modules: [(name: String, weights: [Weight])] = []
    for weight in weights {
      let name = module(of: weight.path)
      if let index = modules.firstIndex(where: { $0.name == name }) {
        modules[index].weights.append(weight)
      } else {
        modules.append((name, [weight]))
      }
    }
    return modules.map { module in
      let wrong = module.weights.filter { !$0.relation.isExact }
      return JUnitReport.Case(
        "weights", module.name, wrong.isEmpty ? .passed : .failed(wrong.map(line)))
    }
  }

  /// What is wrong with a weight, by its cause if that is known.
  private func line(_ weight: Weight) -> String {
    let explanation = explanations.first { $0.paths.contains(weight.path) && $0.cause != nil }
    return explanation?.text ?? "\(weight.path): \(weight.relation.text)"
  }

  private var outputCases: [JUnitReport.Case] {
    let isCast =
      switch verdict {
      case .cast, .quantized, .coded: true
      case .identical, .different: false
      }
    return outputs.map { output in
      let relative = describe(error: output.relative)
      return JUnitReport.Case(
        "outputs", output.name,
        isCast || output.isIdentical ? .passed : .failed(["differs by \(relative) of the largest"]))
    }
  }

  private var verdictOutcome: JUnitReport.Case.Outcome {
    if case .different = verdict { .failed([verdict.text] + reasons) } else { .passed }
  }
}

/// A weight's path without the last component.
private func module(of path: String) -> String {
  path.lastIndex(of: ".").map { String(path[..<$0]) } ?? path
}

extension WeightRelation {
  /// Whether B's weight is what A's should be in B.
  var isExact: Bool {
    switch self {
    case .identical, .cast, .quantized, .coded: true
    default: false
    }
  }
}

extension GoldenReport {
  /// A test for each output.
  var testCases: [JUnitReport.Case] {
    lines.map { line in
      JUnitReport.Case("outputs", line.name, line.isWithin ? .passed : .failed(reasons(line)))
    }
  }

  private func reasons(_ line: Line) -> [String] {
    guard let deviation = line.deviation else { return [line.fault ?? "differs"] + reasons }
    return [
      "relative error \(describe(error: deviation.relative)), limit \(describe(error: tolerance)),"
        + " worst row \(describe(shape: deviation.worstRow))"
    ] + reasons
  }
}

extension CertificateReport {
  /// A test for each claim.
  var testCases: [JUnitReport.Case] {
    claims.map { JUnitReport.Case("claims", $0.subject, $0.holds ? .passed : .failed([$0.text])) }
  }
}
