import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Report: Verb {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a page about a checkpoint, or about how two differ: one HTML file.",
    discussion: """
      The page has an overview with what check finds, a picture of the model, a map of its parameters, \
      pictures of filters of patches, of how alike positions are and of the bands of a sound, \
      histograms, statistics by layer, singular values of some matrices, and a table of the tensors. Of \
      two checkpoints it says first how the second one differs: what diff finds, the largest changes, \
      where they are layer by layer, and of what rank they are, as an adapter (LoRA) that was merged has \
      a low one; what follows is about the first one alone, and says so. The page needs no network and no \
      other file. Names in it are text, whatever they contain.

      Every byte is read once, and the matrices that are chosen for their singular values once more: \
      of each kind the first, the middle and the last layer, at most \(Spectra.mostMatrices) in all. Of \
      two, the first is read twice, and both once more where they differ.

      Exit code 0 if the page is written, whatever it says. check and diff answer by their exit codes.

      Examples:
        tfinspect report bert-base/ -o bert.html
        tfinspect report bert-base/ bert-finetuned/ -o difference.html
        tfinspect report model.npz --include '*.layer.0.*' -o layer.html
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Argument(help: "Another checkpoint that it is compared with.")
  var other: FilePath?

  @Option(name: [.short, .long], help: ArgumentHelp("The HTML file to write.", valueName: "html"))
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
    let whole = checkpoint.tensors.byteCount
    let progress = progressOptions.progress(
      total: second.map { 2 * whole + $0.tensors.byteCount } ?? whole, common)
    let report = try ModelReport(
      checkpoint, options: options, selection: selection.selection
    ) { progress.update($0) }
    if let obstacle = report.obstacle, !sourceOptions.asksForNothing { throw obstacle }
    let comparison = try second.map { second in
      try ComparisonReport(
        of: checkpoint, and: second, options: options, selection: selection.selection
      ) { progress.update($0 + whole) }
    }
    progress.finish()
    for model in [report.model, comparison?.model].compactMap(\.self) {
      warn(model.doubtfulKeys, in: model.checkpoint)
    }
    let page = ReportPage(report, comparison, options: options)
    let html = page.html
    try file.write(html)
    tell(report, comparison, bytes: html.utf8.count)
    return .success
  }

  private func tell(_ report: ModelReport, _ comparison: ComparisonReport?, bytes: Int) {
    if common.json {
      let object: JSONValue = [
        "schema": "tfinspect.report/1", "path": .string(displayed(output)),
        "bytes": .number(bytes), "tensors": .number(report.statistics.count),
        "faults": .number(report.check.faults.count),
        "changes": comparison.map { .number($0.diff.changes.count) } ?? .null,
        "faults_of_b": comparison.map { .number($0.check.faults.count) } ?? .null,
        "not_finite": comparison.map { .number($0.incomparable) } ?? .null,
      ]
      standardOutput(object.text(pretty: true))
    } else if !common.quiet {
      let what = "\(escaped(displayed(output))): \(describe(bytes: bytes))"
      let tensors = describe(report.statistics.count, "tensor")
      guard let comparison else {
        return standardOutput("\(what), \(tensors), \(faults(report.check))")
      }
      standardOutput(
        "\(what), \(tensors), \(describe(comparison.diff.changes.count, "change")),"
          + " \(faults(report.check)) in A, \(faults(comparison.check)) in B")
    }
  }

  private func faults(_ check: CheckReport) -> String {
    check.faults.isEmpty ? "no faults" : describe(check.faults.count, "fault")
  }
}
