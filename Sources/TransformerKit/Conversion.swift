public import Containers
public import SystemPackage
public import TensorCore

/// Moves a checkpoint to another container, tensor by tensor, in bounded memory.
public struct Conversion: Sendable {
  /// The source.
  public let source: Checkpoint
  private let writer: CheckpointWriter

  /// Says what to convert into what.
  ///
  /// - Parameters:
  ///   - source: an opened checkpoint, of any model.
  ///   - destination: a file, or a folder if the path ends with a slash, has no extension, or is a
  ///     folder already.
  ///   - format: the container, instead of what the destination's extension says.
  ///   - overwrite: whether an existing target may be replaced.
  ///   - maxShardSize: the most bytes a file of a folder target has, if it can be helped.
  /// - Throws: `CheckpointError` if the extension is not known.
  public init(
    _ source: Checkpoint, to destination: FilePath, isFolder: Bool, format: ContainerFormat?,
    overwrite: Bool, maxShardSize: Int?
  ) throws(CheckpointError) {
    self.source = source
    let format =
      if let format { format } else {
        try formatByExtension(destination, isFolder: isFolder)
      }
    writer = CheckpointWriter(
      destination: destination, format: format, isFolder: isFolder, overwrite: overwrite,
      maxShardSize: maxShardSize, keepsOrder: source.keepsOrder, sources: source.allFiles)
  }

  /// The container of the target.
  public var format: ContainerFormat { writer.format }

  /// What would be written.
  ///
  /// - Throws: `CheckpointError` if it cannot, or must not, be written.
  public func plan() throws(CheckpointError) -> WritePlan {
    try writer.plan(
      tensors: source.tensors.tensors, metadata: source.metadata, config: source.config?.bytes,
      companions: companions)
  }

  /// Writes the target.
  ///
  /// - Parameter progress: hears how many bytes have been written so far.
  /// - Throws: `CheckpointError`; then nothing is left behind.
  public func run(progress: (Int) -> Void = { _ in }) throws(CheckpointError) {
    try writer.write(
      tensors: source.tensors.tensors, metadata: source.metadata, config: source.config?.bytes,
      companions: companions, progress: progress)
  }

  private var companions: [FilePath] { writer.isFolder ? source.companions : [] }
}

/// The container that the extension of a file names; of a folder, safetensors.
private func formatByExtension(
  _ path: FilePath, isFolder: Bool
) throws(CheckpointError) -> ContainerFormat {
  if isFolder { return .safetensors }
  let ending = path.extension ?? ""
  if let format = ContainerFormat.withExtension(ending) { return format }
  let known = ContainerFormat.all.map { ".\($0.fileExtension)" }.joined(separator: ", ")
  throw CheckpointError(
    .unsupported(
      "\".\(ending)\" is the extension of no container that we write; those are \(known)"),
    file: displayed(path), advice: "pass --to FORMAT, or end the path with / for a folder")
}
