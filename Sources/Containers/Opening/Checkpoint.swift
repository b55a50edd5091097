public import SystemPackage
public import TensorCore

/// An opened container, or a folder of shards with its index, plus the config.json beside it.
///
///     let checkpoint = try Checkpoint.open("model/")
///     for tensor in checkpoint.tensors.tensors { print(tensor.name, tensor.dtype, tensor.shape) }
///
/// Opening reads and checks headers only. The files stay open as long as a tensor refers to them.
public struct Checkpoint: Sendable {
  /// What the user named: a file, an index, or a folder.
  public let path: FilePath
  /// The container of its weights.
  public let format: ContainerFormat
  /// The tensors in the order of their bytes; those of several shards in the order of the shards'
  /// names.
  public private(set) var tensors: TensorTable
  /// Tensors that it holds, and that `choosing` has left out.
  public private(set) var leftOut: [TensorName] = []
  /// What `strippingPrefix` has taken off names, and of how many.
  public private(set) var strippedPrefix: (text: String, count: Int)?
  /// What `applying` has done to names.
  public private(set) var nameChanges: [NameRules.Change] = []
  /// What its container holds that is no tensor, as far as it is listed.
  public let others: [Other]
  /// How many of these there are.
  public let otherCount: Int
  /// The text beside the tensors; of several shards all pairs, the first shard's where they differ.
  public let metadata: Metadata?
  /// The config.json that belongs to it.
  public private(set) var config: ConfigFile?
  /// What its container has inside beside the tensors, without config.json.
  public let belongings: Belongings
  /// The files that hold the weights.
  public let files: [FilePath]
  /// The shard index.
  public let index: FilePath?
  /// Whether there should be a shard index and is none: that the files are all shards of one model only their
  /// names say.
  public private(set) var lacksIndex = false
  /// What the shard index says about itself: `total_size` and the like.
  public let indexMetadata: JSONValue?
  /// What the shard index says beside `weight_map` and `metadata`.
  public let indexMembers: [JSONValue.Member]
  /// The keys of `metadata` that shards have with other values, each once.
  public let differingMetadata: [String]
  /// The folder that the user named, or that the index he named is in.
  public let folder: FilePath?
  /// What it is a part of, if it is no model for itself.
  public let part: Part?
  /// Whether the order of the tensors was declared by whoever wrote them. It is not in an npz that
  /// is not ours, and then a writer may change it.
  public let keepsOrder: Bool
  /// The container itself, if it is one that has checksums of everything.
  let archive: TFZArchive?
  /// What the files of weights and the index were when they were opened.
  let stamps: [FilePath: FileStamp]

  /// The memory that reading the headers took, beside what is known of each tensor, in bytes.
  public let openingMemory: Int

  /// Something that a container holds and that is no tensor: the number of a step, arguments.
  public struct Other: Sendable, Equatable {
    /// The path to it, as tensors are named.
    public let name: String
    /// What it is: a phrase without a verb.
    public let what: String
  }

  /// Opens a file, a shard index or a folder.
  ///
  /// In a folder, the weights are the first that there is of `model.safetensors`, its index,
  /// `pytorch_model.bin`, its index, `model.gguf`, `model.npz`, `model.tfz`, `model.ggml`, `model.bin`,
  /// `tf_model.h5`, `flax_model.msgpack`; else the only container there, or all of `consolidated.00.pth`,
  /// `consolidated.01.pth` and so on, or all of `…-00001-of-00003.…` and so on without an index. `surroundings` says what else lies there.
  ///
  /// - Parameters:
  ///   - path: what to open.
  ///   - format: the container, if its bytes shall not decide.
  ///   - config: the config.json, if it is not where it usually is: inside the container, else
  ///     `FILE.config.json` beside a file, else `config.json` in its folder; else what a GGUF file says
  ///     of its model.
  ///   - configNames: what else a folder's config may be called, the likeliest first; asked if none is called
  ///     `config.json`.
  /// - Throws: `CheckpointError` if something is missing, broken or not known.
  public static func open(
    _ path: FilePath, format: ContainerFormat? = nil, config: FilePath? = nil,
    configNames: () -> [String] = { [] }
  ) throws(CheckpointError) -> Checkpoint {
    let config = try config.map { path throws(CheckpointError) in try ConfigFile(path) }
    return try open(
      CheckpointSource(path, format: format, configNames: configNames), config: config)
  }

  /// Opens a file, a shard index or a folder, whose config is known.
  ///
  /// - Throws: `CheckpointError` if something is missing, broken or not known.
  public static func open(
    _ path: FilePath, format: ContainerFormat? = nil, config: ConfigFile
  ) throws(CheckpointError) -> Checkpoint {
    try open(CheckpointSource(path, format: format), config: config)
  }

  private static func open(
    _ source: CheckpointSource, config: ConfigFile?
  ) throws(CheckpointError) -> Checkpoint {
    switch source.weights {
    case .file(let file, let format):
      let (contents, files) = try format.contents(of: file).joined(from: file)
      return try Checkpoint(
        source, format: format, contents: contents, files: files + contents.files, index: nil,
        config: config)
    case .index(let path):
      return try open(source, index: path, config: config)
    case .parts(let parts): return try Checkpoint(source, parts.open(), config: config)
    case .shards(let shards):
      var opened = try Checkpoint(source, shards.open(), config: config)
      opened.lacksIndex = true
      return opened
    }
  }

  private init(
    _ source: CheckpointSource, _ opened: ShardIndex.Sharded, config: ConfigFile?
  ) throws(CheckpointError) {
    try self.init(
      source, format: opened.format, contents: opened.contents, files: opened.files, index: nil,
      config: config)
  }

  private static func open(
    _ source: CheckpointSource, index path: FilePath, config: ConfigFile?
  ) throws(CheckpointError) -> Checkpoint {
    let index: ShardIndex
    let sharded: ShardIndex.Sharded
    do throws(CheckpointError) {
      index = try ShardIndex(path)
      sharded = try index.open()
    } catch {
      // Of a folder, something else may be meant.
      throw source.path == source.folder
        ? error.naming(readable(in: source.path, but: path)) : error
    }
    return try Checkpoint(
      source, format: sharded.format, contents: sharded.contents, files: sharded.files,
      index: index, config: config)
  }

  private init(
    _ source: CheckpointSource, format: ContainerFormat, contents: Contents, files: [FilePath],
    index: ShardIndex?, config: ConfigFile?
  ) throws(CheckpointError) {
    path = source.path
    self.format = format
    do {
      tensors = try TensorTable(contents.tensors)
    } catch {
      throw error.inFile(displayed(source.path))
    }
    metadata = contents.metadata
    others = contents.others
    otherCount = contents.otherCount
    openingMemory = contents.openingMemory
    strippedPrefix = contents.strippedPrefix
    var belongings = contents.belongings
    let inside = belongings.takeConfig()
    if let config {
      self.config = config
    } else {
      let beside =
        inside == nil || contents.hasDerivedConfig
        ? try source.config.map { path throws(CheckpointError) in try ConfigFile(path) } : nil
      let derived = try inside.map { file throws(CheckpointError) in
        contents.hasDerivedConfig
          ? try ConfigFile(source.path, bytes: file.read(limit: Limits.config))
          : try ConfigFile(file, in: source.path)
      }
      self.config = beside.flatMap { $0.saysMoreThanType || derived == nil ? $0 : nil } ?? derived
    }
    self.belongings = belongings
    archive = contents.archive
    self.files = files
    self.index = index?.path
    indexMetadata = index?.metadata
    indexMembers = index?.others ?? []
    var seen: Set<TensorName> = []
    differingMetadata = contents.differingMetadata.filter {
      seen.insert(TensorName($0)).inserted
    }
    folder = source.folder
    part =
      index == nil && files.count == 1
      ? Part(files[0], tensors: contents.tensors.lazy.map(\.name)) : nil
    keepsOrder = contents.keepsOrder
    var stamps: [FilePath: FileStamp] = [:]
    for path in files + [self.index].compactMap(\.self) { stamps[path] = FileStamp(path) }
    self.stamps = stamps
  }

  /// The same checkpoint, as if it held only the tensors of `selection`.
  ///
  /// - Parameter aliases: other names that tensors go by.
  /// - Throws: `CheckpointError` if that are none.
  public func choosing(
    _ selection: TensorSelection, aliases: [TensorName: [TensorName]] = [:]
  ) throws(CheckpointError) -> Checkpoint {
    if selection.isEverything { return self }
    var chosen = self
    do {
      chosen.tensors = try TensorTable(selection.chosen(from: tensors.tensors, aliases: aliases))
    } catch {
      throw error.inFile(displayed(path))
    }
    chosen.leftOut = leftOut + tensors.tensors.map(\.name).filter { chosen.tensors[$0] == nil }
    return chosen
  }

  /// The same checkpoint with names that do not begin with `prefix`: it is taken off where it stands.
  ///
  /// - Throws: `CheckpointError` if two tensors then have one name, or one has none.
  public func strippingPrefix(_ prefix: String) throws(CheckpointError) -> Checkpoint {
    var stripped = self
    do {
      stripped.tensors = try TensorTable(
        tensors.tensors.map { tensor throws(CheckpointError) in
          let name = tensor.name.text
          guard name.hasPrefix(prefix) else { return tensor }
          guard name != prefix else {
            throw CheckpointError(
              .malformed("nothing is left of the name without its prefix"), tensor: tensor.name)
          }
          return tensor.renamed(TensorName(String(name.dropFirst(prefix.count))))
        })
    } catch {
      throw error.inFile(displayed(path))
    }
    let count = tensors.tensors.count { $0.name.text.hasPrefix(prefix) }
    stripped.strippedPrefix = ((strippedPrefix?.text ?? "") + prefix, count)
    return stripped
  }

  /// The same checkpoint with the names that rules give.
  ///
  /// - Throws: `CheckpointError` if a rule stands for no name, or two tensors would have one.
  public func applying(_ rules: NameRules) throws(CheckpointError) -> Checkpoint {
    if rules.rules.isEmpty { return self }
    var changed = self
    do throws(CheckpointError) {
      let (tensors, changes) = try rules.applied(to: tensors.tensors)
      guard !tensors.isEmpty else {
        throw CheckpointError(.malformed("--drop leaves none of the \(changes.count) tensors"))
      }
      changed.tensors = try TensorTable(tensors)
      changed.nameChanges = nameChanges + changes
    } catch {
      throw error.inFile(displayed(path))
    }
    return changed
  }

  /// The same checkpoint with other tensors, which are made of its own.
  ///
  /// - Parameter config: the config.json that fits them, if it is not the one that is there.
  /// - Throws: `CheckpointError` if two have one name.
  package func replacing(
    _ others: [Tensor], config: [UInt8]? = nil
  ) throws(CheckpointError) -> Checkpoint {
    var changed = self
    changed.tensors = try TensorTable(others)
    if let config { changed.config = try ConfigFile(self.config?.path ?? path, bytes: config) }
    return changed
  }

  /// The files that it is read from, and that must not be written to: weights, index and config, and those of its
  /// modules.
  public var ownFiles: [FilePath] {
    files + [index, config?.path].compactMap(\.self) + filesInModules
  }

  /// Every file that belongs to it, and must not be written to: with it what lies in its folder.
  public var allFiles: [FilePath] {
    let own = ownFiles
    guard let folder else { return own }
    let inside = ((try? names(in: folder)) ?? []).map { folder.appending($0) }
    return own + inside.filter { $0.status?.type == .regular && !own.contains($0) }
  }

  /// What lies in its folder beside the weights and the config that are read; of a file that the user
  /// named nothing.
  ///
  /// - Parameter isDeep: whether to look into the folders in it, too.
  /// - Throws: `CheckpointError` if the folder cannot be looked at, or has more in it than can be.
  public func surroundings(isDeep: Bool) throws(CheckpointError) -> Surroundings {
    guard let folder else { return Surroundings() }
    var found = try Surroundings(
      folder, read: Set(files + [index].compactMap(\.self)), modules: moduleFiles, isDeep: isDeep)
    let usual = folder.appending("config.json")
    if config?.path == usual {
      found.leaveOutConfig()
    } else if usual.linkStatus != nil {
      found.leaveConfig("config.json")
    }
    return found
  }
}

extension ContainerFormat {
  /// Reads the headers of `file`; errors name it.
  func contents(of file: any ByteSource) throws(CheckpointError) -> Contents {
    do {
      return try read(file)
    } catch {
      throw error.inFile(file.name)
    }
  }
}
