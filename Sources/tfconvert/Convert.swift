import ArgumentParser
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Convert: Verb {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert SRC to DST (what tfconvert does without a verb).",
    discussion: """
      Examples:
        tfconvert bert-base/ copy/ --max-shard-size 500MB
        tfconvert bert-base/ bert.npz --certificate bert.intoto.json
        tfconvert model.safetensors query.npz --include '*.query.*'

      --include and --exclude choose among the source's tensors before anything else happens. What is \
      left out is as if it were not there: with --dialect, the rest must still be a whole model. \
      --strip-prefix comes before them, --drop and --rename behind them: with --dialect, the model has \
      the names that they give. A certificate is of none of these.
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Argument(help: "The target: a file, or a folder.", completion: .file())
  var destination: String

  @Option(
    help: ArgumentHelp(
      "The target's container, instead of what its extension says.", valueName: "format"))
  var to: TargetFormat?

  @Option(
    help: ArgumentHelp(
      "The target's dialect: its names and layout. Without it, both stay as they are.",
      valueName: "dialect"))
  var dialect: String?

  @Flag(help: "Write a dialect even if its own code computes something else, and say what.")
  var allowMismatch = false

  @Option(
    help: ArgumentHelp(
      "The type of floating-point tensors of 16 bits and more; q…: blocks of a GGUF file.",
      valueName: "type"))
  var dtype = TargetType.keep

  @Option(
    help: ArgumentHelp(
      "Give tensors other names (repeatable; the first that matches): PATTERN is a glob in which {i} is a number; NAME has {i}, and * for what the pattern's * was.",
      valueName: "pattern=name"))
  var rename: [RenamingRule] = []

  @Option(
    help: ArgumentHelp(
      "Leave out tensors of any checkpoint, and list them (repeatable).", valueName: "pattern"))
  var drop: [DroppingRule] = []

  @Option(
    help: ArgumentHelp(
      "The rules of a file (docs/names.md), behind those given here.",
      valueName: "file"))
  var rules: FilePath?

  @Option(
    help: ArgumentHelp(
      "Add an adapter (LoRA, as PEFT writes it) to the weights; several in this order.",
      valueName: "adapter"))
  var merge: [FilePath] = []

  @Flag(help: "Write plain weights of a quantised source.")
  var dequantize = false

  @Flag(help: "Write even if a cast or a sum changes values: the nearest, ties to even.")
  var allowLossy = false

  @Flag(help: "Compare source and target, weights and outputs, before the target gets its name.")
  var verify = false

  @Option(
    help: ArgumentHelp(
      "Verify, and write a certificate of it: what was converted into what, and what was proven.",
      valueName: "file"))
  var certificate: FilePath?

  @Option(
    help: ArgumentHelp(
      "Split a folder's weights into files of at most this size (512MB, 5GB, 4GiB), or of one tensor.",
      valueName: "size"))
  var maxShardSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      "How hard to compress a TFZ file: 1 (the default, at the speed of memory) to 19.",
      valueName: "1-19"))
  var level: Int?

  @Flag(help: "Keep the SHA-256 of every tensor's bytes in a TFZ file.")
  var digests = false

  @Option(help: "The order of the bytes of a GGUF file's numbers.")
  var endian: Endian?

  @Flag(name: [.short, .long], help: "Replace an existing target, or certificate.")
  var force = false

  @Flag(help: "Keep whole files of a folder when interrupted, and go on from there next time.")
  var resume = false

  @Flag(help: "Say what would be written, and write nothing.")
  var dryRun = false

  @Flag(help: "Show no progress.")
  var noProgress = false

  @OptionGroup var memory: MemoryOptions
  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard TFZ.Options.levels.contains(level ?? 1) else {
      throw ValidationError("--level is from 1 to 19")
    }
    try sourceOptions.requireDialect(dialect, isCompared: verify || certificate != nil)
    if certificate != nil, !merge.isEmpty {
      throw ValidationError(
        "a certificate is of a conversion that changes no weight; tfverify --merge proves a merged model"
      )
    }
    if certificate != nil, !rename.isEmpty || !drop.isEmpty || rules != nil {
      throw ValidationError(
        "a certificate is about checkpoints as they are; convert first with --rename, --drop or --rules"
      )
    }
    if certificate != nil, !selection.include.isEmpty || !selection.exclude.isEmpty {
      throw ValidationError(
        "a certificate is about whole checkpoints; leave out --include and --exclude")
    }
  }

  func perform() throws -> ExitStatus {
    if verify || certificate != nil { try prepareArithmetic() }
    if let cap = memory.cap { MemoryUse.setCap(cap) }
    let options = sourceOptions.options
    let chosen = try Checkpoint.open(source, options: options)
      .choosing(selection.selection, options: options).applying(nameRules)
    let merged =
      merge.isEmpty
      ? nil : try Merge(merge.map { try Adapter($0) }, into: chosen, options: options)
    let checkpoint = merged?.checkpoint ?? chosen
    guard let path = FilePath(argument: destination) else {
      throw ValidationError("the target's name is empty")
    }
    guard isFolder(path) || !resume else {
      throw ValidationError("--resume is for folders: a single file is written in one go")
    }
    guard isFolder(path) || maxShardSize == nil else {
      throw ValidationError("--max-shard-size is for folders: end the target with a slash")
    }
    let target = Conversion.Target(
      path, isFolder: isFolder(path), format: to?.format,
      dialect: dialect ?? merged?.translatedFrom,
      allowsMismatch: allowMismatch, dtype: dtype.dtype, dequantizes: dequantize,
      allowsLoss: allowLossy, isVerified: verify, certificate: certificate,
      toolVersion: toolVersion, overwrite: force, maxShardSize: maxShardSize?.bytes,
      isResumable: resume, memory: memory.cap,
      compression: TFZ.Options(level: level ?? 1, keepsDigests: digests),
      isBigEndian: endian == .big)
    if endian != nil, try target.container != .gguf {
      throw ValidationError("--endian is for GGUF files (DST.gguf, or --to gguf)")
    }
    if level != nil || digests, try target.container != .tfz {
      throw ValidationError("--level and --digests are for TFZ files (DST.tfz, or --to tfz)")
    }
    let conversion = try Conversion(
      checkpoint, to: target, options: merged?.options(options) ?? options, merge: merged)
    if let model = conversion.model {
      common.explain(model, listsAll: true)
    } else {
      common.explain(checkpoint)
    }
    let plan = try conversion.plan()
    var verdict: PairReport.Verdict?
    if !dryRun {
      let progress = Progress(
        total: plan.byteCount, isOn: !noProgress && !common.quiet && !common.json)
      let outcome = try conversion.run(plan) { progress.update($0) }
      progress.finish()
      verdict = outcome.verdict
      let kept = outcome.resumedCount
      if kept > 0, !common.quiet {
        standardError("kept \(describe(kept, "file")) of an earlier run, compared byte for byte")
      }
    }
    let report = ConversionReport(
      conversion, plan, verdict, target: path, isDryRun: dryRun, all: common.verbose)
    if common.json {
      standardOutput(report.json.text(pretty: true))
    } else if common.quiet {
      standardOutput(escaped(displayed(path)))
    } else {
      for line in report.lines { standardOutput(line) }
    }
    return .success
  }

  private var nameRules: NameRules {
    get throws(CheckpointError) {
      let listed = try rules.map { path throws(CheckpointError) in try NameRules(path) }
      return NameRules(drop.map(\.rule) + rename.map(\.rule) + (listed?.rules ?? []))
    }
  }

  /// A trailing slash, no extension, or an existing folder make the target a folder, unless its extension is that
  /// of a container.
  private func isFolder(_ path: FilePath) -> Bool {
    if destination.hasSuffix("/") { return true }
    if to == nil {
      if path.extension == nil { return true }
      if (try? ContainerFormat.written(at: path)) != nil { return false }
    }
    return (try? path.stat())?.type == .directory
  }
}

/// A rule that gives names, as it is typed.
struct RenamingRule: ExpressibleByArgument {
  let rule: NameRules.Rule

  init?(argument: String) {
    guard let rule = NameRules.Rule(renaming: argument) else { return nil }
    self.rule = rule
  }
}

/// A rule that leaves tensors out, as it is typed.
struct DroppingRule: ExpressibleByArgument {
  let rule: NameRules.Rule

  init?(argument: String) {
    guard let rule = NameRules.Rule(dropping: argument) else { return nil }
    self.rule = rule
  }
}

/// What floating-point tensors become.
enum TargetType: String, ExpressibleByArgument, CaseIterable {
  case keep
  case f32
  case f16
  case bf16
  case q80 = "q8_0"
  case q40 = "q4_0"
  case q41 = "q4_1"
  case q50 = "q5_0"
  case q51 = "q5_1"

  var dtype: DType? {
    switch self {
    case .keep: nil
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .q80: .q80
    case .q40: .q40
    case .q41: .q41
    case .q50: .q50
    case .q51: .q51
    }
  }
}

/// The order of the bytes of numbers: llama.cpp on most machines reads the first alone.
enum Endian: String, ExpressibleByArgument, CaseIterable {
  case little
  case big
}
