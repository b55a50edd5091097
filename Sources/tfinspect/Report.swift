import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Report: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Write a page about a checkpoint, or about how two differ: one HTML file.",
    discussion: """
      The page has an overview with what check finds, a picture of the model, a map of its parameters, \
      histograms, statistics by layer, singular values of some matrices, and a table of the tensors; \
      of two checkpoints, also what diff finds. It needs no network and no other file. Names in it \
      are text, whatever they contain.

      Every byte is read once, and the matrices that are chosen for their singular values once more: \
      of each kind the first, the middle and the last layer, at most \(Spectra.mostMatrices) in all.

      Exit code 0 if the page is written, whatever it says. check and diff answer by their exit codes.

      Examples:
        tfinspect report bert-base/ -o bert.html
        tfinspect report bert-base/ bert-finetuned/ -o difference.html
        tfinspect report model.npz --include 'h.0.*' -o layer.html --force
      """)

  @Argument(help: "The checkpoint: a file, a shard index, or a folder.")
  var source: FilePath

  @Argument(help: "Another checkpoint that it is compared with.")
  var other: FilePath?

  @Option(name: [.short, .long], help: "The HTML file to write.")
  var output: FilePath

  @Flag(name: [.short, .long], help: "Replace an existing file.")
  var force = false

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    try prepareArithmetic()
    let options = sourceOptions.options
    let checkpoint = try Checkpoint.open(source, options: options)
    let second = try other.map { try Checkpoint.open($0, options: options) }
    let file = SmallFile(
      output, replacing: force ? .anything : .nothing,
      sources: checkpoint.allFiles + (second?.allFiles ?? []))
    try file.check()
    common.explain(checkpoint)
    if let second { common.explain(second) }
    let progress = progressOptions.progress(
      total: checkpoint.tensors.byteCount * (second == nil ? 1 : 2), common)
    let report = try ModelReport(
      checkpoint, options: options, selection: selection.selection
    ) { progress.update($0) }
    if let obstacle = report.obstacle, !sourceOptions.asksForNothing { throw obstacle }
    let comparison = try second.map { second in
      let found = try diff(
        checkpoint, second, open: options, options: DiffOptions(selection: selection.selection)
      ) { progress.update($0 + checkpoint.tensors.byteCount) }
      return Comparison(checkpoint: second, diff: found, options: options)
    }
    progress.finish()
    let page = ReportPage(report, comparison, options: options)
    let html = page.html
    try file.write(html)
    tell(report, comparison, bytes: html.utf8.count)
    return .success
  }

  private func tell(_ report: ModelReport, _ comparison: Comparison?, bytes: Int) {
    if common.json {
      let object: JSONValue = [
        "schema": "tfinspect.report/1", "path": .string(displayed(output)),
        "bytes": .number(bytes), "tensors": .number(report.statistics.count),
        "faults": .number(report.check.faults.count),
        "changes": comparison.map { .number($0.diff.changes.count) } ?? .null,
      ]
      standardOutput(object.text(pretty: true))
    } else if !common.quiet {
      let faults = report.check.faults.count
      standardOutput(
        "\(escaped(displayed(output))): \(describe(bytes: bytes)),"
          + " \(describe(report.statistics.count, "tensor")),"
          + " \(faults == 0 ? "no faults" : describe(faults, "fault"))"
          + (comparison.map { ", \(describe($0.diff.changes.count, "change"))" } ?? ""))
    }
  }
}
