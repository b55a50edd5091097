import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Hash: Verb {
  static let configuration = CommandConfiguration(
    commandName: "hash",
    abstract: "Print the SHA-256 of each tensor, or check a list of them.",
    discussion: """
      Digested are the little-endian elements in C order, so containers and shards make no \
      difference. What is printed, with -q or --json too, is a manifest: -c compares a checkpoint \
      with it, lists what does not match, and exits with 1 if anything does not. Names in a manifest \
      of lines are escaped as they are printed.

      Examples:
        tfinspect hash bert-base/ > bert-base.sha256
        tfinspect hash bert-base.npz -c bert-base.sha256
        tfinspect hash bert-base/ --json
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("A manifest to check against.", valueName: "manifest"))
  var check: FilePath?

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let whole = try Checkpoint.open(source, options: sourceOptions.options)
    let checkpoint = try whole.choosing(selection.selection, options: sourceOptions.options)
    common.explain(checkpoint)
    try memory.keep(reading: checkpoint)
    let manifest = try check.map { try Manifest($0) }
    let tensors = checkpoint.tensors.tensors
    let progress = progressOptions.progress(
      total: tensors.reduce(0) { $0 + $1.byteCount }, common)
    let found = try digests(of: tensors) { progress.update($0) }
    progress.finish()
    if let manifest {
      let aliases = whole.aliases(
        for: selection.selection, options: sourceOptions.options)
      let faults = manifest.faults(in: found) {
        selection.selection.contains($0, aliases: aliases[$0] ?? [])
      }
      return report(faults, of: found.count)
    }
    if common.json {
      standardOutput("tfinspect.hash/1", listing: "tensors", found.lazy.map { json($0) })
    } else {
      standardOutput(lines: lines(found))
    }
    return .success
  }

  /// The lines, one at a time: a table of all could take much memory.
  private func lines(_ digests: [TensorDigest]) -> some Sequence<String> {
    let types = digests.reduce(0) { max($0, $1.dtype.name.count) }
    let shapes = digests.reduce(0) { max($0, describe(shape: $1.shape).count) }
    return digests.lazy.map { digest in
      let name = escaped(digest.name.text)
      if common.quiet { return "\(digest.digest)  \(name)" }
      let type = padded(digest.dtype.name, to: types)
      return
        "\(digest.digest)  \(type)  \(padded(describe(shape: digest.shape), to: shapes))  \(name)"
    }
  }

  private func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: width - text.count)
  }

  private func json(_ digest: TensorDigest) -> JSONValue {
    [
      "name": .string(digest.name.text), "dtype": .string(digest.dtype.name),
      "shape": digest.shape.json, "sha256": .string(digest.digest),
    ]
  }

  private func report(_ faults: [Manifest.Fault], of count: Int) -> ExitStatus {
    if common.json {
      let list = faults.map { fault -> JSONValue in
        ["name": .string(fault.name), "reason": .string(fault.reason)]
      }
      let report: JSONValue = [
        "schema": "tfinspect.hash-check/1", "matches": .bool(faults.isEmpty),
        "tensors": .number(count), "faults": .array(list),
      ]
      standardOutput(report.text(pretty: true))
    } else {
      standardOutput(lines: faults.map { "\(escaped($0.name)): \($0.reason)" })
      if !common.quiet {
        standardOutput(
          faults.isEmpty
            ? "\(describe(count, "tensor")) as in the manifest"
            : "\(describe(faults.count, "fault")) in \(describe(count, "tensor"))")
      }
    }
    return faults.isEmpty ? .success : .negative
  }
}
