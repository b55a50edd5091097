public import SystemPackage
public import TensorCore

/// Writes a checkpoint: a file, or a folder with weights, config.json and the other files.
///
/// The target appears whole or not at all. Everything is written under a temporary name beside it,
/// made durable, and renamed. Any error, and `TemporaryFiles.removeAll()`, leaves nothing behind.
public struct CheckpointWriter: Sendable {
  /// Where to write.
  public let destination: FilePath
  /// The container.
  public let format: ContainerFormat
  /// Whether the target is a folder.
  public let isFolder: Bool
  /// Whether an existing target is replaced.
  public let overwrite: Bool
  /// The bytes that a shard may have, if weights are split.
  public let maxShardSize: Int?
  /// What the file with the weights in a folder is called, if not as usual.
  let weightsName: String?
  /// Whether the order of the tensors must stay; see `Checkpoint.keepsOrder`.
  public let keepsOrder: Bool
  /// Whether whole files of a folder outlive an interruption, and the next run goes on from there.
  public let isResumable: Bool
  /// Files that must not be written to.
  let sources: [FilePath]
  /// What the source has inside, for a container that holds it, or for a folder.
  let belongings: Belongings
  /// Further small files of a folder.
  let extraFiles: [ExtraFile]
  /// A digest of all that decides about the bytes of a resumable folder's files, if it is known without reading the source. Then the next run goes on
  /// where one has ended, and compares nothing with the source.
  public var resumeKey: String?
  /// What a shard index is to say beside which tensor is where.
  public var indexFacts = IndexFacts()

  /// What a shard index says beside which tensor is where.
  public struct IndexFacts: Sendable {
    /// Members of `metadata`; `total_size` is not among them.
    let metadata: [JSONValue.Member]
    /// Members beside `metadata` and `weight_map`.
    let others: [JSONValue.Member]

    /// None.
    init() { (metadata, others) = ([], []) }

    /// Those of a checkpoint's own index.
    public init(of source: Checkpoint) {
      metadata = (source.indexMetadata?.members ?? []).filter { $0.key != "total_size" }
      others = source.indexMembers
    }

    /// Their names, but for the number of parameters, which everybody can count.
    public var names: [String] {
      metadata.filter { $0.key != "total_parameters" }.map { "metadata.\($0.key)" }
        + others.map(\.key)
    }
  }

  /// The config beside a single file.
  public var configPath: FilePath { WritePlan.configPath(of: destination) }

  /// A checkpoint that is written and has no name yet.
  public struct Unnamed: Sendable {
    /// Where it can be opened: a file, or a folder.
    public let path: FilePath
    /// Where its config is, if it is not in the folder or the container.
    public let config: FilePath?
  }

  /// A small file that is written into a folder beside the weights.
  public struct ExtraFile: Sendable {
    let name: String
    let bytes: [UInt8]

    /// Names a file and says what is in it.
    public init(_ name: String, bytes: [UInt8]) {
      self.name = name
      self.bytes = bytes
    }
  }

  /// Says what to write and how.
  ///
  /// - Parameters:
  ///   - destination: a file, or a folder.
  ///   - format: the container.
  ///   - isFolder: whether the destination is a folder.
  ///   - overwrite: whether to replace what is there. In a folder that means what would be taken for
  ///     weights or config of the new checkpoint, and files of the names that are written; other files,
  ///     and folders, stay.
  ///   - maxShardSize: the bytes that a shard of a folder may have, its header included, unless one
  ///     tensor alone is larger.
  ///   - weightsName: what the only file with weights in a folder is called, if not as usual.
  ///   - keepsOrder: whether the order of the tensors must stay, even if elements are misaligned.
  ///   - isResumable: whether whole files of a folder outlive an interruption or an error, and are
  ///     taken over by the next run that is resumable, after they have been compared.
  ///   - sources: the files that are read from (`Checkpoint.ownFiles`): never written to.
  ///   - belongings: what the source's container has beside the tensors (`Checkpoint.belongings`).
  ///   - extraFiles: further small files for a folder; they go before companions of the same name.
  public init(
    destination: FilePath, format: ContainerFormat, isFolder: Bool = false, overwrite: Bool = false,
    maxShardSize: Int? = nil, weightsName: String? = nil, keepsOrder: Bool = true,
    isResumable: Bool = false,
    sources: [FilePath] = [], belongings: Belongings = Belongings(), extraFiles: [ExtraFile] = []
  ) {
    self.destination = destination
    self.format = format
    self.isFolder = isFolder
    self.overwrite = overwrite
    self.maxShardSize = maxShardSize
    self.weightsName = weightsName
    self.keepsOrder = keepsOrder
    self.isResumable = isResumable && isFolder
    self.sources = sources
    self.belongings = belongings
    self.extraFiles = extraFiles
  }

  /// Everything that would be written, and whether it may be, without writing.
  ///
  /// - Throws: `CheckpointError` if `write` would refuse.
  public func plan(
    tensors: [Tensor], metadata: Metadata? = nil, config: [UInt8]? = nil,
    companions: [CompanionFile] = []
  ) throws(CheckpointError) -> WritePlan {
    try checkDestination()
    try checkParent()
    return try WritePlan(
      self, Contents(tensors: tensors, metadata: metadata, keepsOrder: keepsOrder), config: config,
      companions: companions)
  }

  /// Writes everything.
  ///
  /// - Parameters:
  ///   - tensors: what to write, in this order.
  ///   - metadata: the text beside the tensors.
  ///   - config: the bytes of config.json. For a file they go beside it, as `FILE.config.json`.
  ///   - companions: files to copy into a folder, or into a container that holds files.
  ///   - progress: hears how many bytes have been written so far.
  ///   - beforeCommit: runs when everything is written and durable, but has no name yet. It hears
  ///     where the whole checkpoint can be opened; if it throws, nothing is kept.
  /// - Throws: `CheckpointError` if something cannot be read or written, or is refused.
  public func write(
    tensors: [Tensor], metadata: Metadata? = nil, config: [UInt8]? = nil,
    companions: [CompanionFile] = [], progress: (Int) -> Void = { _ in },
    beforeCommit: (Unnamed) throws(CheckpointError) -> Void = { _ in }
  ) throws(CheckpointError) {
    try write(
      plan(tensors: tensors, metadata: metadata, config: config, companions: companions),
      progress: progress, beforeCommit: beforeCommit)
  }

  /// Writes what was planned.
  ///
  /// - Returns: what of an earlier run was found to be right and kept.
  /// - Throws: `CheckpointError` if something cannot be read or written.
  @discardableResult
  public func write(
    _ plan: WritePlan, progress: (Int) -> Void = { _ in },
    beforeCommit: (Unnamed) throws(CheckpointError) -> Void = { _ in }
  ) throws(CheckpointError) -> ResumedWork {
    // What an earlier run has left takes room already.
    if !isResumable { try plan.checkFreeSpace(in: destination.parent) }
    let parent = try TargetFolder(of: destination)
    if !isResumable { try parent.whileLocked { () throws(CheckpointError) in removeLeftovers() } }
    var written = 0
    func advance(_ count: Int) {
      written += count
      progress(written)
    }
    var resumed = ResumedWork()
    if isFolder {
      resumed = try writeFolder(
        plan, in: parent, progress: advance, beforeCommit: beforeCommit)
    } else {
      try writeFiles(plan, in: parent, progress: advance, beforeCommit: beforeCommit)
    }
    return resumed
  }

  /// Removes what dead runs to the same target have left.
  private func removeLeftovers() {
    TemporaryFiles.removeLeftovers(of: destination)
    if !isFolder { TemporaryFiles.removeLeftovers(of: WritePlan.configPath(of: destination)) }
  }

  private func writeFolder(
    _ plan: WritePlan, in parent: TargetFolder, progress: (Int) -> Void,
    beforeCommit: (Unnamed) throws(CheckpointError) -> Void
  ) throws(CheckpointError) -> ResumedWork {
    let folder = try parent.whileLocked { () throws(CheckpointError) in
      try OutputFolder(destination, isResumable: isResumable, key: resumeKey)
    }
    for file in plan.files { try folder.write(file, progress: progress) }
    try folder.finish()
    try beforeCommit(Unnamed(path: folder.path, config: nil))
    let removed = Set(plan.removed.map(\.bytes))
    var change = FolderCommit(folder, isReplacing: overwrite, removing: removed)
    try parent.commit(&change)
    return folder.resumed
  }

  /// A file, and its config beside it.
  private func writeFiles(
    _ plan: WritePlan, in parent: TargetFolder, progress: (Int) -> Void,
    beforeCommit: (Unnamed) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    var outputs: [(file: OutputFile, target: FilePath)] = []
    for file in plan.files {
      let output = try parent.whileLocked { () throws(CheckpointError) in
        try OutputFile(TemporaryFiles.name(for: file.path), for: file.path)
      }
      try file.write(to: output, progress: progress)
      try output.synchronize()
      outputs.append((output, file.path))
    }
    let config = outputs.first { $0.target == configPath }?.file.path ?? configPath
    let isBeside = !format.holdsFiles && config.linkStatus != nil
    try beforeCommit(Unnamed(path: outputs[0].file.path, config: isBeside ? config : nil))
    var change = FileCommit(outputs, isReplacing: overwrite, of: plan)
    try parent.commit(&change)
  }
}
