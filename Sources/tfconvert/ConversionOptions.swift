import ArgumentParser
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

/// What is converted into what, and how: what decides about the target's bytes.
struct ConversionOptions: ParsableArguments {
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

  func validate() throws {
    guard TFZ.Options.levels.contains(level ?? 1) else {
      throw ValidationError("--level is from 1 to 19")
    }
  }

  /// Whether tensors get other names, or are left out by name.
  var changesNames: Bool { !rename.isEmpty || !drop.isEmpty || rules != nil }

  /// The same as words of a command line, source and target last; a folder ends with a slash there.
  ///
  /// - Parameter others: further options, which go before those.
  func words(and others: [String]) throws -> [String] {
    let isSlashed = try isFolder(target) && !destination.hasSuffix("/")
    return optionWords("to", to?.format.name) + optionWords("dialect", dialect)
      + flagWords("allow-mismatch", allowMismatch)
      + optionWords("dtype", dtype == .keep ? nil : dtype.rawValue)
      + rename.flatMap { optionWords("rename", $0.rule.text) }
      + drop.flatMap { optionWords("drop", $0.rule.text) }
      + optionWords("rules", rules?.string) + merge.flatMap { optionWords("merge", $0.string) }
      + flagWords("dequantize", dequantize) + flagWords("allow-lossy", allowLossy)
      + optionWords("max-shard-size", maxShardSize.map { String($0.bytes) })
      + optionWords("level", level.map { String($0) }) + flagWords("digests", digests)
      + optionWords("endian", endian?.rawValue) + flagWords("force", force) + others
      + ["--", source.string, isSlashed ? destination + "/" : destination]
  }

  /// The paths that are typed; each must be UTF-8 to stand in JSON.
  var paths: [FilePath] {
    get throws { [source, try target] + merge + (rules.map { [$0] } ?? []) }
  }

  /// The target.
  var target: FilePath {
    get throws {
      guard let path = FilePath(argument: destination) else {
        throw ValidationError("the target's name is empty")
      }
      return path
    }
  }

  /// The conversion, which has written nothing yet.
  ///
  /// - Parameter setting: says what else is wanted of the target.
  func conversion(
    _ selection: SelectionOptions, _ sourceOptions: SourceOptions,
    setting: (inout Conversion.Target) -> Void
  ) throws -> Conversion {
    let path = try target
    let options = sourceOptions.options
    let chosen = try Checkpoint.open(source, options: options)
      .choosing(selection.selection, options: options).applying(nameRules)
    let merged =
      merge.isEmpty
      ? nil : try Merge(merge.map { try Adapter($0) }, into: chosen, options: options)
    guard isFolder(path) || maxShardSize == nil else {
      throw ValidationError("--max-shard-size is for folders: end the target with a slash")
    }
    var target = Conversion.Target(
      path, isFolder: isFolder(path), format: to?.format,
      dialect: dialect ?? merged?.translatedFrom,
      allowsMismatch: allowMismatch, dtype: dtype.dtype, dequantizes: dequantize,
      allowsLoss: allowLossy, toolVersion: toolVersion, overwrite: force,
      maxShardSize: maxShardSize?.bytes,
      compression: TFZ.Options(level: level ?? 1, keepsDigests: digests),
      isBigEndian: endian == .big)
    setting(&target)
    if endian != nil, try target.container != .gguf {
      throw ValidationError("--endian is for GGUF files (DST.gguf, or --to gguf)")
    }
    if level != nil || digests, try target.container != .tfz {
      throw ValidationError("--level and --digests are for TFZ files (DST.tfz, or --to tfz)")
    }
    return try Conversion(
      merged?.checkpoint ?? chosen, to: target, options: merged?.options(options) ?? options,
      merge: merged)
  }

  private var nameRules: NameRules {
    get throws(CheckpointError) {
      let listed = try rules.map { path throws(CheckpointError) in try NameRules(path) }
      return NameRules(drop.map(\.rule) + rename.map(\.rule) + (listed?.rules ?? []))
    }
  }

  /// A trailing slash, no extension, or an existing folder make the target a folder, unless its extension is that
  /// of a container.
  func isFolder(_ path: FilePath) -> Bool {
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

extension NameRules.Rule {
  /// As it is typed.
  fileprivate var text: String { pattern.text + (name.map { "=\($0.text)" } ?? "") }
}
