import SystemPackage
import TensorCore

/// Where the weights, the config and the other files of a checkpoint are.
struct CheckpointSource {
  /// What holds the weights.
  enum Weights {
    case file(InputFile, ContainerFormat)
    case index(FilePath)
  }

  /// What the user named.
  let path: FilePath
  /// What holds the weights.
  let weights: Weights
  /// The folder, if the user named one, or an index in it.
  let folder: FilePath?
  /// The config.json that belongs to the weights.
  let config: FilePath?

  /// What a folder's weights are called, the likeliest first.
  private static let usualNames =
    ["model.safetensors.index.json"] + ContainerFormat.all.map { "model.\($0.fileExtension)" }

  /// Finds everything that belongs to `path`.
  ///
  /// - Parameter configNames: what a config may be called beside `config.json`, the likeliest first.
  init(
    _ path: FilePath, format: ContainerFormat?, configNames: [String] = []
  ) throws(CheckpointError) {
    self.path = path
    let status = try systemCall("cannot open", path) { try path.stat() }
    if status.type == .directory {
      folder = path
      weights = try Self.weights(in: path, format: format)
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
      let own = try Self.existing(path.appendingToName(".config.json"))
      config = own ?? inFolder
    }
  }

  private static func config(
    in folder: FilePath, _ otherNames: [String]
  ) throws(CheckpointError) -> FilePath? {
    for name in ["config.json"] + otherNames {
      if let path = try existing(folder.appending(name)) { return path }
    }
    return nil
  }

  /// The path, if there is anything.
  ///
  /// - Throws: `CheckpointError` if that cannot be found out: a config that is there must not be left
  ///   out because of an I/O error.
  private static func existing(_ path: FilePath) throws(CheckpointError) -> FilePath? {
    try systemCall("cannot examine", path) {
      do {
        _ = try path.stat(followTargetSymlink: false)
        return path
      } catch Errno.noSuchFileOrDirectory, Errno.notDirectory, Errno.fileNameTooLong {
        return nil
      }
    }
  }

  private static func weights(
    at path: FilePath, format: ContainerFormat?
  ) throws(CheckpointError) -> Weights {
    let file = try InputFile(path)
    if format?.canShard != false, looksLikeJSON(try file.head(ContainerFormat.headSize)) {
      return .index(path)
    }
    if let format { return .file(file, format) }
    return .file(file, try recognizedFormat(of: file))
  }

  private static func weights(
    in folder: FilePath, format: ContainerFormat?
  ) throws(CheckpointError) -> Weights {
    for name in usualNames {
      guard let path = try existing(folder.appending(name)) else { continue }
      return try weights(at: path, format: format)
    }
    let found = try FolderContents(folder)
    let advice = "name the file"
    let choices = found.indices + found.containers.filter { !found.indexed.contains($0) }
    guard choices.count <= 1 else {
      let list = choices.map { "\"\(displayed(FilePath($0)))\"" }
      throw CheckpointError(
        .malformed("the folder has several containers: " + list.joined(separator: ", ")),
        file: displayed(folder), advice: advice)
    }
    if let only = choices.first {
      return try weights(at: folder.appending(only), format: format)
    }
    if let name = found.pickles.first {
      throw CheckpointError(.pickle, file: displayed(folder.appending(name)))
    }
    throw CheckpointError(
      .malformed("the folder has no container in it"), file: displayed(folder))
  }

  /// The small files that travel with a folder: not weights, not hidden, no folders.
  ///
  /// - Throws: `CheckpointError` if the folder cannot be listed.
  func companions(weights: [FilePath]) throws(CheckpointError) -> [FilePath] {
    guard let folder else { return [] }
    var companions: [FilePath] = []
    for name in try names(in: folder) {
      let path = folder.appending(name)
      guard !name.isHidden, name.string != "config.json", !weights.contains(path),
        !name.string.hasSuffix(".index.json"), !isWeightExtension(name.extension),
        let status = try Self.target(of: path), status.type == .regular,
        status.size <= Limits.companion, !isContainer(path)
      else { continue }
      companions.append(path)
    }
    return companions
  }

  /// What a path leads to, links followed, or `nil` if nothing.
  private static func target(of path: FilePath) throws(CheckpointError) -> Stat? {
    try systemCall("cannot examine", path) {
      do {
        return try path.stat()
      } catch Errno.noSuchFileOrDirectory, Errno.tooManySymbolicLinkLevels {
        return nil
      }
    }
  }
}

/// Whether files of that name hold weights in somebody's format.
private func isWeightExtension(_ fileExtension: String?) -> Bool {
  guard let fileExtension = fileExtension?.lowercased() else { return false }
  let others = [
    "bin", "pt", "pth", "ckpt", "h5", "hdf5", "msgpack", "gguf", "onnx", "ot", "tflite", "pb",
    "data-00000-of-00001", "tfpart",
  ]
  return others.contains(fileExtension) || ContainerFormat.withExtension(fileExtension) != nil
}

private func isContainer(_ path: FilePath) -> Bool {
  guard let file = try? InputFile(path), let head = try? file.head(ContainerFormat.headSize) else {
    return false
  }
  return ContainerFormat.recognized(head) != nil
}

/// What could be weights in a folder whose files have unusual names.
private struct FolderContents {
  /// Shard indices of safetensors.
  var indices: [FilePath.Component] = []
  /// Files of a container that we read.
  var containers: [FilePath.Component] = []
  /// Files that the only index, if there is one, names.
  var indexed: [FilePath.Component] = []
  /// PyTorch's own files.
  var pickles: [FilePath.Component] = []

  init(_ folder: FilePath) throws(CheckpointError) {
    for name in try names(in: folder) where !name.isHidden {
      let path = folder.appending(name)
      guard path.status?.type == .regular else { continue }
      if name.string.hasSuffix(".safetensors.index.json") {
        indices.append(name)
        continue
      }
      let head = try InputFile(path).head(ContainerFormat.headSize)
      if ["bin", "pt", "pth"].contains(name.extension ?? "") {
        pickles.append(name)
      } else if ContainerFormat.recognized(head) != nil {
        containers.append(name)
      }
    }
    if indices.count == 1 {
      indexed = try ShardIndex(folder.appending(indices[0])).shards.compactMap {
        FilePath.Component($0)
      }
    }
  }
}
