import ArgumentParser
import CommandSupport
import Containers
import Kernels
import SystemPackage
import TensorCore
import TransformerKit

struct Diff: Verb {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Say what is different between two checkpoints, tensor by tensor.",
    discussion: """
      Two models of the same known architecture are compared by meaning: under their canonical \
      paths, whatever container, dialect or sharding they have. Others are compared by name, and \
      tensors that are not there are looked for by their content. A line begins with
        +  only in B                 C  B's is A's, cast to another type
        -  only in A                 P  the same elements in another order
        ~  the values differ         R  the same elements under another name
      Of differing values are told: max and mean of |b - a|, rel, the largest |b - a| by the largest \
      |a|, cos, the cosine of the angle between both, ulp, the most numbers of the type that one has \
      to step to get from a to b, if they are few, and how many elements differ. What is finite on \
      one side only is infinitely far. Bits are compared first: +0 and -0, and NaN with other \
      payloads, are not the same.

      Of each kind the ten largest changes are listed, by rel, and what changed in each layer; --all \
      lists all. --stat sorts and draws by the norm of b - a relative to that of a. A name is that of the files, if both have the \
      same, else the canonical path that tfinspect tree shows; show and --include take both.

      Where all that changed are matrices and B - A has a low rank in all of them, as merging an adapter \
      (LoRA) leaves it, that is said, with the rank and the modules.

      Of two folders the tokenizers are compared, too, where both have one: the words of their ids, and what they make of some \
      texts; --include and --exclude leave them out. Of two tokenizers' files nothing else is.

      With --atol or --rtol, elements are the same if |b - a| <= atol + rtol * |a|.

      Exit code 1 if anything differs.

      Examples:
        tfinspect diff bert-base/ bert-finetuned/
        tfinspect diff old.safetensors new.npz --by-layer
        tfinspect diff a/ b/ --include '*.attention.*' --name-only
        tfinspect diff bert-base/vocab.txt bert-mlm/vocab.txt
      """)

  enum Order: String, ExpressibleByArgument, CaseIterable {
    case change
    case name
    case offset
  }

  @Argument(help: "The first checkpoint.")
  var a: FilePath

  @Argument(help: "The second checkpoint.")
  var b: FilePath

  @Flag(help: "Show how much each tensor differs, as bars.")
  var stat = false

  @Flag(help: "Show only the names of what differs.")
  var nameOnly = false

  @Flag(help: "Show only the sums by layer.")
  var byLayer = false

  @Flag(help: "List all changes, not the largest only.")
  var all = false

  @Option(
    help: ArgumentHelp("List this many changes of each kind.", valueName: "n"))
  var top = 10

  @Option(
    help: ArgumentHelp(
      "The order: the largest change first, by name, or as stored in A.", valueName: "order"))
  var sort = Order.change

  @Option(help: ArgumentHelp("How far elements may be apart.", valueName: "number"))
  var atol: Double?

  @Option(
    help: ArgumentHelp("How far they may be apart, as a part of |a|.", valueName: "number"))
  var rtol: Double?

  @Flag(help: "Compare known models, too, by the names in their files.")
  var byName = false

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard [stat, nameOnly, byLayer].count(where: { $0 }) <= 1 else {
      throw ValidationError("of --stat, --name-only and --by-layer only one can be had")
    }
    guard top >= 1 else { throw ValidationError("--top is at least 1") }
    for (name, value) in [("--atol", atol), ("--rtol", rtol)] {
      guard value.map({ $0 >= 0 && $0.isFinite }) ?? true else {
        throw ValidationError("\(name) must be a number that is not negative")
      }
    }
  }

  private func opened() throws -> (Checkpoint, Checkpoint) {
    do {
      return (
        try Checkpoint.open(a, options: sourceOptions.options),
        try Checkpoint.open(b, options: sourceOptions.options)
      )
    } catch {
      try checkAreTokenizers()
      throw error
    }
  }

  /// Fails, with the fault of the other one, if only one of both is a tokenizer's file that is read.
  private func checkAreTokenizers() throws {
    let isRead = [a, b].map { FoundTokenizer.isFile($0) && (try? FoundTokenizer($0)) != nil }
    guard isRead[0] != isRead[1] else { return }
    let (one, other) = isRead[0] ? (a, b) : (b, a)
    if FoundTokenizer.isFile(other) { _ = try FoundTokenizer(other) }
    _ = try Checkpoint.open(other)
    throw CheckpointError(
      .refused("is no tokenizer's file, and \(displayed(one)) is one"), file: displayed(other),
      advice: "name two tokenizers' files, two folders or two checkpoints")
  }

  func perform() throws -> ExitStatus {
    let tokenizers =
      selection.include.isEmpty && selection.exclude.isEmpty ? TokenizerDiff(a, b) : nil
    if let tokenizers, FoundTokenizer.isFile(a), FoundTokenizer.isFile(b) {
      return show(tokenizers.differences)
    }
    let (first, second) = try opened()
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
      options: DiffOptions(
        byName: byName, selection: selection.selection, tolerance: tolerance)
    ) { progress.update($0) }
    progress.finish()
    warn(found.doubtfulKeys.a, in: first)
    warn(found.doubtfulKeys.b, in: second)
    if common.verbose { standardError("compared by \(found.basis.rawValue)") }
    let report = DiffReport(
      diff: found, addedRank: nameOnly || common.quiet ? nil : try AddedRank(found),
      stored: (first.tensors.count, second.tensors.count), order: sort,
      limit: all ? nil : top, tokenizer: tokenizers?.differences ?? [])
    if common.json {
      standardOutput(report.json.text(pretty: true))
    } else {
      standardOutput(lines: common.quiet ? report.countLines : lines(report))
    }
    return found.isEmpty && report.tokenizer.isEmpty ? .success : .negative
  }

  /// What two tokenizers' files do otherwise.
  private func show(_ differences: [String]) -> ExitStatus {
    if common.json {
      let object: JSONValue = [
        "schema": "tfinspect.tokenizer-diff/1", "equal": .bool(differences.isEmpty),
        "tokenizer": .array(differences.map { .string($0) }),
      ]
      standardOutput(object.text(pretty: true))
    } else if differences.isEmpty {
      standardOutput("no difference was found in words and texts")
    } else {
      standardOutput(lines: differences.flatMap { wrapped($0, width: outputWidth) })
    }
    return differences.isEmpty ? .success : .negative
  }

  private func lines(_ report: DiffReport) -> [String] {
    if nameOnly { return report.names }
    if byLayer { return report.layerLines }
    return stat ? report.statistics : report.lines
  }

  private var tolerance: Tolerance? {
    guard atol != nil || rtol != nil else { return nil }
    return Tolerance(absolute: atol ?? 0, relative: rtol ?? 0)
  }
}
