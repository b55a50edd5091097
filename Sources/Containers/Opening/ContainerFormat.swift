import SystemPackage
public import TensorCore

/// A way to store tensors as bytes. It knows names, dtypes and shapes, and no model.
///
/// A new container is one new file that makes such a value, and one line in `all`.
public struct ContainerFormat: Sendable {
  /// What the command line calls it.
  public let name: String
  /// How its files' names end, without the dot.
  public let fileExtension: String
  /// What else they may end in.
  public internal(set) var otherExtensions: [String] = []
  /// Whether a folder may hold it in several files with an index.
  public let canShard: Bool
  /// Whether a model may lie in several files of it without an index: each says which it is, and the first what is
  /// true of all.
  public internal(set) var numbersShards = false
  /// Whether it has a place for config.json and the other small files of a folder.
  public internal(set) var holdsFiles = false
  /// Whether it holds one array and nothing else: no name but the file's, no metadata.
  public internal(set) var isBareArray = false

  /// Whether it can hold blocks of quantised numbers.
  public internal(set) var holdsBlocks = false

  /// What the file in a folder is called, if not `model` with its extension.
  var folderName: String?
  /// What a file takes beside its tensors' bytes, at most: for itself, and for each tensor.
  var overhead = Overhead()

  /// The most memory that writing tensors takes beside that for reading them, if worth mentioning.
  var memoryForWriting: @Sendable (_ tensors: [Tensor]) -> Int = { _ in 0 }

  /// Bytes beside those of tensors, where several files are filled up to a size.
  struct Overhead: Sendable {
    var head: @Sendable (Contents) -> Int = { $0.metadataBound + 8 + 8 + 32 }
    var tensor: @Sendable (Tensor) -> Int = { SafetensorsLayout.entryBound($0) }
  }

  /// What a file's bytes say about being one.
  let matches: @Sendable (Glimpse) -> Certainty?
  /// Reads and checks the headers.
  let read: @Sendable (any ByteSource) throws(CheckpointError) -> Contents
  /// Checks that the contents can be written, and lays the file out; `nil` of a container that is only
  /// read.
  let layout: (@Sendable (Contents) throws(CheckpointError) -> any FileLayout)?

  /// All containers that we know.
  public static let all: [ContainerFormat] = [
    .safetensors, .torch, .gguf, .npz, .tfz, .npy, .flax, .tensorFlow, .onnx, .hdf5,
    .pickle, .ctranslate2, .ggml, .nemo, .dcp,
    .deepspeed,
  ]

  /// Those that are written, too.
  public static let written: [ContainerFormat] = all.filter(\.isWritten)

  /// Whether it is written, and not only read.
  public var isWritten: Bool { layout != nil }

  /// Whether a folder may hold it in several files.
  public var isSplit: Bool { canShard || numbersShards }

  /// The container of that name.
  public static func named(_ name: String) -> ContainerFormat? {
    all.first { $0.name == name }
  }

  /// The container whose files' names end so (without the dot, in any case).
  public static func withExtension(_ fileExtension: String) -> ContainerFormat? {
    let ending = fileExtension.lowercased()
    return all.first { $0.fileExtension == ending || $0.otherExtensions.contains(ending) }
  }
}

extension ContainerFormat {
  /// The most memory that writing `tensors` takes beside two buffers and what reading them takes.
  public func workingMemory(for tensors: [Tensor]) -> Int { memoryForWriting(tensors) }

  /// Checks that the contents can be written, and lays the file out.
  ///
  /// - Throws: `CheckpointError` if they cannot, or this container is only read.
  func lay(out contents: Contents) throws(CheckpointError) -> any FileLayout {
    guard let layout else {
      throw CheckpointError(.unsupported("\(name) files are read, and not written"))
    }
    return try layout(contents)
  }
}

extension ContainerFormat: Equatable, CustomStringConvertible {
  public static func == (a: ContainerFormat, b: ContainerFormat) -> Bool { a.name == b.name }

  public var description: String { name }
}

/// What a container holds.
struct Contents: Sendable {
  /// The tensors, in the order in which their bytes stand.
  var tensors: [Tensor]
  /// The text beside them.
  var metadata: Metadata?
  /// The keys of it that several files of it have with other values.
  var differingMetadata: [String] = []
  /// Whether that order is what the writer declared, or an accident.
  var keepsOrder = true
  /// Further files that the tensors' bytes are in.
  var files: [FilePath] = []
  /// What stands beside the tensors, as far as the container knows.
  var belongings = Belongings()
  /// Everything before the tensors of the safetensors file to be, if it shall be the one it was.
  var head: [UInt8]?
  /// Whether the config.json among the belongings was made of what the container says of itself: one that
  /// lies beside it says more.
  var hasDerivedConfig = false
  /// What it holds that is no tensor, as far as it is listed, and how many of these there are.
  var others: [Checkpoint.Other] = []
  var otherCount = 0

  /// The bytes that the text beside the tensors takes at most.
  var metadataBound: Int { metadata?.json.count ?? 0 }

  /// Lists something that is no tensor, or only counts it.
  mutating func addOther(_ name: String, _ what: String) {
    otherCount += 1
    guard others.count < Limits.reportedFaults else { return }
    others.append(Checkpoint.Other(name: abridged(name, to: 240), what: what))
  }

  /// Takes on what another shard says, but for its tensors.
  mutating func add(_ part: Contents) {
    differingMetadata += Metadata.differingKeys(metadata, part.metadata)
    metadata = Metadata.merged(metadata, part.metadata)
    keepsOrder = keepsOrder && part.keepsOrder
    others += part.others
    otherCount += part.otherCount
    openingMemory = max(openingMemory, part.openingMemory)
  }

  /// The memory that reading the headers took, beside what is known of each tensor.
  var openingMemory = 0
  /// What has been left out at the beginning of names, and of how many.
  var strippedPrefix: (text: String, count: Int)?
  /// Its place among the files that a model is split into, if they are numbered.
  var place: GGUFPlace?
  /// The container, if it can check itself.
  var archive: TFZArchive?
}

/// A file that is about to be written: its size is known and nothing can be wrong with it any more.
protocol FileLayout: Sendable {
  /// The bytes that the file will have; if `sizeIsBound`, the most that it can have.
  var byteCount: Int { get }

  /// Whether the file may turn out smaller than `byteCount`.
  var sizeIsBound: Bool { get }

  /// Writes the file. `progress` hears how many bytes each step has written.
  func write(to file: OutputFile, progress: (Int) -> Void) throws(CheckpointError)
}

extension FileLayout {
  var sizeIsBound: Bool { false }
}

extension Tensor {
  /// Fails if the elements are blocks, which only GGUF has.
  func requireElements(for container: String) throws(CheckpointError) {
    guard dtype.isBlock else { return }
    throw CheckpointError(
      .refused("\(container) cannot hold blocks of \(dtype)"), tensor: name,
      advice: "--dequantize writes plain numbers; GGUF can hold blocks")
  }
}
