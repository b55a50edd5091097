import SystemPackage
import TensorCore

/// Where the weights, the config and the other files of a checkpoint are.
struct CheckpointSource {
  /// What holds the weights.
  enum Weights {
    case file(InputFile, ContainerFormat)
    case index(FilePath)
    case parts(NumberedParts)
    case shards(LooseShards)
  }

  /// What the user named.
  let path: FilePath
  /// What holds the weights.
  let weights: Weights
  /// The folder, if the user named one, or an index in it.
  let folder: FilePath?
  /// The config.json that belongs to the weights.
  let config: FilePath?

  /// Finds everything that belongs to `path`.
  ///
  /// - Parameter configNames: what a config may be called beside `config.json`, the likeliest first.
  init(
    _ path: FilePath, format: ContainerFormat?, configNames: () -> [String] = { [] }
  ) throws(CheckpointError) {
    let path =
      TensorFlowNames.index(for: path) ?? DistributedNames.metadata(for: path) ?? path
    self.path = path
    let status = try InputFile.whereSomethingIs(path) { () throws(CheckpointError) in
      try systemCall("cannot open", path) { try path.examined() }
    }
    if status.type == .directory {
      folder = path
      weights = try WeightsInFolder(path, format: format).weights
      config = try Self.config(in: path, configNames)
      return
    }
    weights = try Self.weights(at: path, format: format)
    let inFolder = try Self.config(in: path.removingLastComponent(), configNames)
    if case .index = weights {
      folder = path.parent
      config = inFolder
    } else {
      folder = nil
      let own = try existing(path.appendingToName(".config.json"))
      config = own ?? inFolder
    }
  }

  private static func config(
    in folder: FilePath, _ otherNames: () -> [String]
  ) throws(CheckpointError) -> FilePath? {
    if let usual = try existing(folder.appending("config.json")) { return usual }
    for name in otherNames() {
      if let path = try existing(folder.appending(name)) { return path }
    }
    return nil
  }

  /// What a file is that holds weights, or says where they are.
  static func weights(
    at path: FilePath, format: ContainerFormat?
  ) throws(CheckpointError) -> Weights {
    let file = try InputFile(path)
    if format?.canShard != false, try looksLikeJSON(file) { return .index(path) }
    if let format { return .file(file, format) }
    return .file(file, try recognizedFormat(of: file))
  }
}

/// The path, if there is anything.
///
/// - Throws: `CheckpointError` if that cannot be found out: a config that is there must not be left
///   out because of an I/O error.
private func existing(_ path: FilePath) throws(CheckpointError) -> FilePath? {
  try systemCall("cannot examine", path) {
    do {
      _ = try path.examined(followTargetSymlink: false)
      return path
    } catch Errno.noSuchFileOrDirectory, Errno.notDirectory, Errno.fileNameTooLong {
      return nil
    }
  }
}

/// What holds the weights in a folder: the first of the usual names, else the only container.
struct WeightsInFolder {
  let weights: CheckpointSource.Weights

  /// What a folder's weights are called, in the order in which programs look for them: that of
  /// transformers, and our own containers where it has none.
  static let usualNames: [String] =
    ["model.safetensors", "pytorch_model.bin"].flatMap { [$0, $0 + ".index.json"] }
    + ["model.gguf", "model.npz", "model.tfz", "model.ggml", "model.nemo", "model.bin"]
    + ["tf_model.h5", "flax_model.msgpack"].flatMap { [$0, $0 + ".index.json"] }

  /// Finds the weights in `folder`.
  ///
  /// - Parameter format: the container, if its bytes shall not decide: then the first of the usual
  ///   names that has it comes before others.
  init(_ folder: FilePath, format: ContainerFormat?) throws(CheckpointError) {
    if format == .dcp || format == .deepspeed,
      let divided = try Self.divided(in: folder, format: format)
    {
      weights = divided
      return
    }
    var usual: [FilePath] = []
    for name in Self.usualNames {
      if let path = try existing(folder.appending(name)) { usual.append(path) }
    }
    let wanted = format.flatMap { format in
      usual.first { path in
        guard let file = try? InputFile(path), case .container(let found)? = try? recognize(file)
        else { return false }
        return found == format
      }
    }
    if let first = wanted ?? usual.first {
      do throws(CheckpointError) {
        weights = try CheckpointSource.weights(at: first, format: format)
      } catch {
        throw error.naming(readable(in: folder, but: first))
      }
      return
    }
    weights = try Self.only(in: folder, format: format)
  }

  /// What processes have saved together, each a part.
  private static func divided(
    in folder: FilePath, format: ContainerFormat?
  ) throws(CheckpointError) -> CheckpointSource.Weights? {
    if format == nil || format == .dcp,
      let file = try DistributedNames.metadata(inFolder: folder)
    {
      return .file(file, .dcp)
    }
    if format == nil || format == .deepspeed, let path = ZeroNames.model(inFolder: folder) {
      return .file(try InputFile(path), .deepspeed)
    }
    return nil
  }

  /// The only container of a folder whose files have unusual names.
  private static func only(
    in folder: FilePath, format: ContainerFormat?
  ) throws(CheckpointError) -> CheckpointSource.Weights {
    if format == nil || format == .tensorFlow, let index = TensorFlowNames.index(inFolder: folder) {
      return try CheckpointSource.weights(at: index, format: format)
    }
    if let weights = try divided(in: folder, format: format) { return weights }
    let found = try FolderContents(folder)
    let choices = found.indices + found.containers.filter { !found.indexed.contains($0) }
    if let first = GGUFSplitName.first(of: choices) {
      return try CheckpointSource.weights(at: folder.appending(first), format: format)
    }
    if let parts = try NumberedParts(choices, in: folder) { return .parts(parts) }
    if let shards = LooseShards(choices, in: folder) { return .shards(shards) }
    if choices.count > 1 {
      let first = choices.prefix(5).map { "\"\(displayed(FilePath($0)))\"" }
      let more = choices.count > 5 ? " and \(choices.count - 5) more" : ""
      throw CheckpointError(
        .malformed(
          "the folder has several containers: \(first.joined(separator: ", "))\(more); name one of them"
        ),
        file: displayed(folder), advice: "name one of the containers")
    }
    if let only = choices.first {
      return try CheckpointSource.weights(at: folder.appending(only), format: format)
    }
    throw found.nothing
  }
}

extension WeightsInFolder {
  /// What a file is if it would, or could, be taken for weights, index or config of the folder that it is
  /// in; `nil` if it would not.
  static func claim(of path: FilePath) throws(CheckpointError) -> String? {
    guard let name = path.lastComponent, path.status?.type == .regular else { return nil }
    if name.string == "config.json" { return "a config" }
    let file = try InputFile(path)
    if name.string.hasSuffix(".index.json") { return "a shard index" }
    let isUsual =
      usualNames.contains(name.string)
      || ContainerFormat.withExtension(suffix(ofFileName: name.bytes)) != nil
    switch try recognizeWeights(file) {
    case .container(let format): return format.name
    case .foreign(let format): return isUsual ? format.words : nil
    case .substitute, .other: return isUsual ? "what is called like weights" : nil
    }
  }
}

/// The names of files in a folder that are read when they are named, one of them left aside.
func readable(in folder: FilePath, but path: FilePath) -> [String] {
  let found = try? FolderContents(folder)
  return (found?.containers ?? [])
    .filter { folder.appending($0) != path && !Checkpoint.Part.isShardName($0) }
    .map { displayed(FilePath($0)) }
}

extension CheckpointError {
  /// The same fault of a file that was chosen in a folder, with the others that could be named.
  func naming(_ others: [String]) -> CheckpointError {
    guard !others.isEmpty else { return self }
    let shown = others.prefix(3).map { "\"\($0)\"" }
    let rest = others.count > 3 ? " and \(others.count - 3) more" : ""
    let hint = "; \(shown.joined(separator: ", "))\(rest) beside it can be named instead"
    var error = self
    switch problem {
    case .malformed(let text): error.problem = .malformed(text + hint)
    case .unsupported(let text): error.problem = .unsupported(text + hint)
    default: break
    }
    return error
  }
}

/// What could be weights in a folder whose files have unusual names.
private struct FolderContents {
  /// Shard indices.
  var indices: [FilePath.Component] = []
  /// Files of a container that we read.
  var containers: [FilePath.Component] = []
  /// Files that the only index, if there is one, names.
  var indexed: [FilePath.Component] = []
  /// Why there is nothing to read.
  var nothing: CheckpointError

  init(_ folder: FilePath) throws(CheckpointError) {
    var foreign: CheckpointError?
    var substitute: CheckpointError?
    let inside = try names(in: folder)
    prepareHeaders(
      inside.filter { !$0.isHidden }.map { folder.appending($0) }
        .filter { $0.status?.type == .regular })
    for name in inside where !name.isHidden {
      let path = folder.appending(name)
      guard path.status?.type == .regular else { continue }
      let file = try InputFile(path)
      if name.string.hasSuffix(".index.json"), try looksLikeJSON(file) {
        indices.append(name)
        continue
      }
      switch try recognizeWeights(file) {
      case .container: containers.append(name)
      case .foreign(let format):
        foreign = foreign ?? CheckpointError(format.problem, file: file.name)
      case .substitute(let found) where file.size > 0 && isWeightName(name):
        substitute =
          substitute ?? CheckpointError(found.problem, file: file.name, advice: found.advice)
      case .substitute, .other: break
      }
    }
    if indices.count == 1 {
      indexed = try ShardIndex(folder.appending(indices[0])).shards.compactMap {
        FilePath.Component($0)
      }
    }
    nothing = foreign ?? substitute ?? noWeights(in: folder, inside)
  }
}

/// Whether files of that name hold weights, if they are what they are called.
private func isWeightName(_ name: FilePath.Component) -> Bool {
  let known = ["bin", "pt", "pth", "ckpt", "h5", "msgpack", "gguf", "onnx"]
  let ending = suffix(ofFileName: name.bytes)
  return known.contains(ending) || ContainerFormat.withExtension(ending) != nil
}
