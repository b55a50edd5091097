import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct CheckVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Prove again what a certificate says.",
    discussion: """
      Compares files, ids, casts and all other weights with the certificate in one pass over A and \
      B, without converting anything, and runs both on the certificate's probe. Files may have been \
      moved or renamed. One line a claim; exit code 1 if any does not match. A certificate is not \
      signed: docs/certificate.md says what it is worth and how to sign it.

      Examples:
        tfverify check bert.intoto.json bert-base/ bert.npz
        tfverify check bert.intoto.json bert-base/ bert.npz -q
        tfverify check bert.intoto.json bert-base/ bert.npz --junit check.xml
      """)

  @Argument(help: "The certificate.")
  var certificate: FilePath

  @Argument(help: "The model that was compared with.")
  var a: FilePath

  @Argument(help: "The model that the certificate is about.")
  var b: FilePath

  @Option(
    help: ArgumentHelp(
      "The arrays that the certificate was made on, if not on the built-in probe.",
      valueName: "npz"))
  var inputs: FilePath?

  @OptionGroup var junit: JUnitOption
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    try junit.reporting("check", [certificate, a, b], about: b) {
      try prepareArithmetic()
      let decoded = try read()
      let first = try Model(a, options: sourceOptions.options)
      let second = try Model(b, options: sourceOptions.options)
      common.explain(first)
      common.explain(second)
      let (bar, progress) = progressOptions.weightProgress(common)
      let report = try decoded.check(
        first, second, inputs: inputs, memory: memory.cap, progress: progress)
      bar.finish()
      if common.json {
        standardOutput(json(report).text(pretty: true))
      } else {
        for line in lines(report) { standardOutput(line) }
      }
      return (report.holds ? .success : .negative, report.testCases)
    }
  }

  private func read() throws(CheckpointError) -> Certificate.Decoded {
    let bytes = try SmallFile.read(certificate, limit: Certificate.largestSize)
    do throws(CheckpointError) {
      return try Certificate.decode(bytes)
    } catch {
      throw error.inFile(displayed(certificate))
    }
  }

  private func lines(_ report: CertificateReport) -> [String] {
    if common.quiet { return [report.holds ? "ok" : "does not match"] }
    let wrong = report.claims.filter { !$0.holds }.count
    let machine = report.machine
    return claimLines(report) + [
      escaped(
        "made by tfkit \(machine.toolVersion) with \(machine.blas) \(machine.blasVersion)"
          + " (\(machine.blasKernel)) on \(machine.cpu)"),
      report.holds
        ? "the certificate holds: \(report.verdict.text)"
        : "the certificate does not match: \(wrong) of \(report.claims.count) claims"
          + (report.isExchanged ? "; A and B are exchanged" : ""),
    ]
  }

  /// The claims; of many that do not hold the first, and how many more there are.
  private func claimLines(_ report: CertificateReport) -> [String] {
    let limit = common.verbose ? Int.max : 20
    var (lines, wrong): ([String], Int) = ([], 0)
    for claim in report.claims {
      wrong += claim.holds ? 0 : 1
      if claim.holds || wrong <= limit {
        lines.append("\(escaped(claim.subject)): \(escaped(claim.text))")
      }
    }
    if wrong > limit { lines.append("\(wrong - limit) more do not match (-v)") }
    return lines
  }

  private func json(_ report: CertificateReport) -> JSONValue {
    let claims: [JSONValue] = report.claims.map { claim in
      switch claim.outcome {
      case .holds(let note):
        ["claim": .string(claim.subject), "ok": true, "note": note.map { .string($0) } ?? .null]
      case .fails(let expected, let found):
        [
          "claim": .string(claim.subject), "ok": false, "expected": .string(expected),
          "found": .string(found),
        ]
      }
    }
    return [
      "schema": "tfverify.check/1", "verdict": report.holds ? "ok" : "does not match",
      "certified": .string(report.verdict.text), "exchanged": .bool(report.isExchanged),
      "claims": .array(claims),
    ]
  }
}
