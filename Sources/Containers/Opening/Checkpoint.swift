public import SystemPackage
public import TensorCore

/// An opened container, or a folder of shards with its index, plus the config.json beside it.
///
///     let checkpoint = try Checkpoint.open("gpt2/")
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
  /// The text beside the tensors; of several shards all pairs, the first shard's where they differ.
  public let metadata: Metadata?
  /// The config.json that belongs to it.
  public let config: ConfigFile?
  /// What its container has inside beside the tensors, without config.json.
  public let belongings: Belongings
  /// The files that hold the weights.
  public let files: [FilePath]
  /// The shard index.
  public let index: FilePath?
  /// What the shard index says about itself: `total_size` and the like.
  public let indexMetadata: JSONValue?
  /// The other small files of a folder: tokenizer.json, generation_config.json and so on.
  public let companions: [FilePath]
  /// Whether the order of the tensors was declared by whoever wrote them. It is not in an npz that
  /// is not ours, and then a writer may change it.
  public let keepsOrder: Bool
  /// The container itself, if it is one that has checksums of everything.
  let archive: TFZArchive?
  /// What the files of weights and the index were when they were opened.
  let stamps: [FilePath: FileStamp]

  /// Opens a file, a shard index or a folder.
  ///
  /// In a folder, the weights are `model.safetensors.index.json`, else `model.safetensors`, else
  /// `model.npz`, else `model.tfz`, else the only container there.
  ///
  /// - Parameters:
  ///   - path: what to open.
  ///   - format: the container, if its bytes shall not decide.
  ///   - config: the config.json, if it is not where it usually is: inside the container, else
  ///     `FILE.config.json` beside a file, else `config.json` in its folder.
  ///   - configNames: what else a folder's config may be called, the likeliest first.
  /// - Throws: `CheckpointError` if something is missing, broken or not known.
  public static func open(
    _ path: FilePath, format: ContainerFormat? = nil, config: FilePath? = nil,
    configNames: [String] = []
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
      let contents = try format.contents(of: file)
      return try Checkpoint(
        source, format: format, contents: contents, files: [file.path], index: nil, config: config)
    case .index(let path):
      let index = try ShardIndex(path)
      let (contents, files) = try index.contents()
      return try Checkpoint(
        source, format: .safetensors, contents: contents, files: files, index: index,
        config: config)
    }
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
    var belongings = contents.belongings
    let inside = belongings.takeConfig()
    if let config {
      self.config = config
    } else if let inside {
      self.config = try ConfigFile(inside, in: source.path)
    } else {
      self.config = try source.config.map { path throws(CheckpointError) in try ConfigFile(path) }
    }
    self.belongings = belongings
    archive = contents.archive
    self.files = files
    self.index = index?.path
    indexMetadata = index?.metadata
    companions = try source.companions(weights: files)
    keepsOrder = contents.keepsOrder
    var stamps: [FilePath: FileStamp] = [:]
    for path in files + [self.index].compactMap(\.self) { stamps[path] = FileStamp(path) }
    self.stamps = stamps
  }

  /// The same checkpoint, as if it held only the tensors of `selection`.
  ///
  /// - Throws: `CheckpointError` if that are none.
  public func choosing(_ selection: TensorSelection) throws(CheckpointError) -> Checkpoint {
    if selection.isEverything { return self }
    var chosen = self
    do {
      chosen.tensors = try TensorTable(selection.chosen(from: tensors.tensors))
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
    stripped.strippedPrefix = count == 0 ? nil : (prefix, count)
    return stripped
  }

  /// Every file that belongs to it, and must not be written to.
  public var allFiles: [FilePath] {
    files + [index, config?.path].compactMap(\.self) + companions
  }
}

extension ContainerFormat {
  /// Reads the headers of `file`; errors name it.
  func contents(of file: InputFile) throws(CheckpointError) -> Contents {
    do {
      return try read(file)
    } catch {
      throw error.inFile(file.name)
    }
  }
}
