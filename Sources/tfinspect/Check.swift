import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Check: Verb {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "List everything that is wrong with a checkpoint, and what to do about it.",
    discussion: """
      Looked for are: faults of the files, checksums and digests of TFZ files that do not match, and \
      an index that disagrees with its shards; tensors that \
      are missing, unexpected or misshapen for the model that the config declares; NaN, infinities \
      and constant matrices; tied weights that differ; layers that are copies of others; the same \
      weight in different types. Notes may surprise, and are no faults.

      With --against, also what the base has and SRC lacks or has otherwise, by meaning, in whatever \
      container, dialect or quantisation: weights, facts of the config, the tokenizer. Values that \
      training changed are no faults; weights that are transposed, in another order, copies of others, \
      zero, a multiple of the base's, or gains one more or less than them, are.

      Exit code 0 if there is no fault, 1 if there is, 2 if the files cannot be read.

      Examples:
        tfinspect check bert-base/
        tfinspect check model.safetensors --config config.json
        tfinspect check model.npz -q && echo fine
        tfinspect check bert-finetuned/ --against bert-base/
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Option(
    help: ArgumentHelp(
      "A checkpoint that it was made from: say what it lacks of it, or has otherwise.",
      valueName: "base"))
  var against: FilePath?

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    var progress: Progress?
    let report = try check(
      source, options: sourceOptions.options, selection: selection.selection, against: against,
      memory: memory.cap
    ) { done, total in
      let bar = progress ?? progressOptions.progress(total: total, common)
      progress = bar
      bar.update(done)
    }
    progress?.finish()
    if common.json {
      standardOutput(json(report).text(pretty: true))
    } else if common.quiet {
      standardOutput(lines: report.faults.map { "\($0.group.rawValue): \(text($0))" })
    } else {
      standardOutput(lines: lines(report).flatMap { wrapped($0, width: outputWidth, hanging: 4) })
    }
    if !report.isReadable { return .failed }
    return report.faults.isEmpty ? .success : .negative
  }

  private func text(_ finding: CheckReport.Finding) -> String {
    let name = finding.tensor.map { escaped($0.text) + ": " } ?? ""
    return name + escaped(finding.text)
  }

  private func lines(_ report: CheckReport) -> [String] {
    var lines: [String] = []
    for group in CheckReport.Group.allCases {
      let faults = report.faults.filter { $0.group == group }
      if faults.isEmpty { continue }
      lines.append(styled("\(group.title) (\(faults.count))", .red))
      lines += folded(faults).map { "  " + $0 }
      if let advice = report.advice(on: group) { lines.append("  → \(escaped(advice))") }
      lines.append("")
    }
    if !report.notes.isEmpty {
      lines.append("notes (\(report.notes.count))")
      lines += report.notes.map { "  " + text($0) }
      lines.append("")
    }
    return lines + [summary(report)]
  }

  /// One line for what is the same in many layers, unless all is asked for.
  private func folded(_ faults: [CheckReport.Finding]) -> [String] {
    let lines = faults.map { text($0) }
    return common.verbose ? lines : foldedByLayer(lines)
  }

  private func summary(_ report: CheckReport) -> String {
    let count = report.faults.count
    let faults = count == 0 ? "no faults" : describe(count, "fault")
    if report.tensorCount == 0, count > 0 { return faults }
    let model = report.model.map { " (\($0))" } ?? (count == 0 ? ", not held against a model" : "")
    return "\(faults) in \(describe(report.tensorCount, "tensor"))\(model)"
  }

  private func json(_ report: CheckReport) -> JSONValue {
    func list(_ findings: [CheckReport.Finding]) -> JSONValue {
      .array(
        findings.map { finding in
          [
            "group": .string(finding.group.rawValue),
            "tensor": finding.tensor.map { .string($0.text) } ?? .null,
            "text": .string(finding.text),
          ]
        })
    }
    let groups = CheckReport.Group.allCases.filter { group in
      report.faults.contains { $0.group == group }
    }
    return [
      "schema": "tfinspect.check/1", "ok": .bool(report.faults.isEmpty),
      "readable": .bool(report.isReadable), "tensors": .number(report.tensorCount),
      "model": report.model.map { .string($0) } ?? .null, "faults": list(report.faults),
      "notes": list(report.notes), "beside": .array(report.beside.map(\.json)),
      "advice": .object(
        groups.compactMap { group in
          report.advice(on: group).map { JSONValue.Member(group.rawValue, .string($0)) }
        }),
    ]
  }
}
