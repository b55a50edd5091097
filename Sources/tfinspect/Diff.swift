import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Diff: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Say what is different between two checkpoints, tensor by tensor.",
    discussion: """
      Two models of the same known architecture are compared by meaning: under their canonical \
      paths, whatever container, dialect or sharding they have. Others are compared by name, and \
      tensors that are not there are looked for by their content. A line begins with
        +  only in B                 C  B's is A's, cast to another type
        -  only in A                 P  the same elements, transposed, permuted or padded
        ~  the values differ         R  the same elements under another name
      Of differing values are told: max and mean of |b - a|, rel, the largest |b - a| by the largest \
      |a|, cos, the cosine of the angle between both, ulp, the most numbers of the type that one has \
      to step to get from a to b, and how many elements differ. Bits are compared first: +0 and -0, \
      and NaN with other payloads, are not the same.

      Exit code 1 if anything differs.

      Examples:
        tfinspect diff bert-base/ bert-finetuned/
        tfinspect diff old.safetensors new.npz --stat
        tfinspect diff a/ b/ --include '*.attention.*' --name-only
      """)

  @Argument(help: "The first checkpoint.")
  var a: FilePath

  @Argument(help: "The second checkpoint.")
  var b: FilePath

  @Flag(help: "Show how much each tensor differs, as bars.")
  var stat = false

  @Flag(help: "Show only the names of what differs.")
  var nameOnly = false

  @Flag(help: "Compare known models, too, by the names in their files.")
  var byName = false

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard !stat || !nameOnly else {
      throw ValidationError("--stat and --name-only cannot be had together")
    }
  }

  func perform() throws -> ExitStatus {
    let first = try Checkpoint.open(a, options: sourceOptions.options)
    let second = try Checkpoint.open(b, options: sourceOptions.options)
    common.explain(first)
    common.explain(second)
    if byName {
      try memory.keep(reading: first, second)
    } else {
      try memory.keep(readingWeightsOf: first, second, options: sourceOptions.options)
    }
    let progress = progressOptions.progress(total: first.tensors.byteCount, common)
    let found = try diff(
      first, second, open: sourceOptions.options,
      options: DiffOptions(byName: byName, selection: selection.selection)
    ) { progress.update($0) }
    progress.finish()
    if common.verbose { standardError("compared by \(found.basis.rawValue)") }
    let report = DiffReport(diff: found)
    if common.json {
      standardOutput(report.json.text(pretty: true))
    } else if !common.quiet {
      standardOutput(lines: nameOnly ? report.names : stat ? report.statistics : report.lines)
    }
    return found.isEmpty ? .success : .negative
  }
}
