import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Convert: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Convert SRC to DST (what tfconvert does without a verb).",
    discussion: """
      Examples:
        tfconvert bert-base/ bert.npz
        tfconvert bert-base/ copy/ --max-shard-size 500MB
        tfconvert weights.bin model.npz --from-format safetensors --dry-run
      """)

  @Argument(help: "The checkpoint: a file, a shard index, or a folder.")
  var source: FilePath

  @Argument(help: "The target: a file, or a folder.")
  var destination: String

  @Option(help: "The target's container, instead of what its extension says.")
  var to: ContainerFormat?

  @Option(help: "Split a folder's weights into files of at most this size (512MB, 5GB, 4GiB).")
  var maxShardSize: ByteSize?

  @Flag(name: [.short, .long], help: "Replace an existing target.")
  var force = false

  @Flag(help: "Say what would be written, and write nothing.")
  var dryRun = false

  @Flag(help: "Show no progress.")
  var noProgress = false

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let checkpoint = try Checkpoint.open(source, options: sourceOptions.options)
    common.explain(checkpoint)
    guard let path = FilePath(argument: destination) else {
      throw ValidationError("the target's name is empty")
    }
    let conversion = try Conversion(
      checkpoint, to: path, isFolder: isFolder(path), format: to, overwrite: force,
      maxShardSize: maxShardSize?.bytes)
    let plan = try conversion.plan()
    if !dryRun {
      let progress = Progress(
        total: plan.byteCount, isOn: !noProgress && !common.quiet && !common.json)
      try conversion.run { progress.update($0) }
      progress.finish()
    }
    report(conversion, plan, path)
    return .success
  }

  /// A trailing slash, no extension, or an existing folder make the target a folder.
  private func isFolder(_ path: FilePath) -> Bool {
    if destination.hasSuffix("/") { return true }
    if to == nil && path.extension == nil { return true }
    return (try? path.stat())?.type == .directory
  }

  private func report(_ conversion: Conversion, _ plan: WritePlan, _ path: FilePath) {
    let source = conversion.source
    if common.json {
      let files: [JSONValue] = plan.files.map {
        [
          "path": .string(displayed($0.path)), "bytes": .number($0.byteCount),
          "tensors": .number($0.tensorCount),
        ]
      }
      let report: JSONValue = [
        "schema": "tfconvert.convert/1", "source": .string(displayed(source.path)),
        "target": .string(displayed(path)), "from": .string(source.format.name),
        "to": .string(conversion.format.name), "written": .bool(!dryRun),
        "tensors": .number(source.tensors.count), "bytes": .number(plan.byteCount),
        "files": .array(files),
      ]
      return standardOutput(report.text(pretty: true))
    }
    if common.quiet { return standardOutput(escaped(displayed(path))) }
    let verb = dryRun ? "would write" : "wrote"
    for file in plan.files {
      let tensors = file.tensorCount > 0 ? ", \(file.tensorCount) tensors" : ""
      standardOutput(
        "\(verb) \(escaped(displayed(file.path))): \(describe(bytes: file.byteCount))\(tensors)")
    }
    let count = source.tensors.count
    standardOutput(
      "\(source.format) to \(conversion.format): \(count) tensors,"
        + " names, dtypes and values unchanged")
  }
}
