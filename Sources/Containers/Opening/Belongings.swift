public import SystemPackage
public import TensorCore

/// What a checkpoint has beside its tensors, and takes along into a container that can hold it.
public struct Belongings: Sendable {
  /// The other files of its folder, as far as they stand inside the container.
  public var files: [CompanionFile] = []
  /// The safetensors files that the tensors came from, for giving back the same bytes.
  var origin: SafetensorsOrigin?
  /// The key-values of a GGUF file, for one that is written.
  public var keyValues: GGUFKeyValues?
  /// What stands before the tensors of a ggml file, for one that is written.
  public var ggml: GGMLHead?
  /// What a model was made of, for a checkpoint of torch that shall say it: its `model_args`.
  public var modelArguments: JSONValue?

  /// Nothing.
  public init() {}

  /// Takes config.json out, if it is there.
  mutating func takeConfig() -> CompanionFile? {
    guard let position = files.firstIndex(where: { $0.name.elementsEqual("config.json".utf8) })
    else { return nil }
    return files.remove(at: position)
  }
}

/// A file that travels with the weights.
public struct CompanionFile: Sendable {
  /// Its path in the folder, as the file system has it; folders in the folder with slashes.
  public let name: [UInt8]
  /// Its bytes.
  public let bytes: any TensorBytes
  /// Where it is, unless it stands in a container.
  package let path: FilePath?

  init(name: [UInt8], bytes: any TensorBytes) {
    self.name = name
    self.bytes = bytes
    path = nil
  }

  /// A file that is in memory.
  init(name: [UInt8], bytes: [UInt8]) {
    self.init(name: name, bytes: ByteArray(bytes))
  }

  /// A file as it is on disk.
  ///
  /// It is opened when its bytes are read, so that any number of files can be known.
  public init(_ path: FilePath, name: [UInt8]? = nil) throws(CheckpointError) {
    self.name = name ?? path.lastComponent?.bytes ?? []
    self.path = path
    bytes = UnopenedFile(try InputFile(path))
  }

  /// The whole file.
  func read(limit: Int) throws(CheckpointError) -> [UInt8] {
    guard bytes.count <= limit else {
      throw CheckpointError(.limitExceeded("the size", limit: limit, found: bytes.count))
    }
    return try bytes.read(0..<bytes.count)
  }

  /// The file as a tensor of bytes, which is how bytes are copied from file to file.
  var tensor: Tensor {
    Tensor(
      name: TensorName(String(decoding: name, as: UTF8.self)), dtype: .u8, shape: [bytes.count],
      bytes: bytes)
  }
}

extension ConfigFile {
  /// Reads a config.json that stands inside a container.
  init(_ file: CompanionFile, in container: FilePath) throws(CheckpointError) {
    let path = container.appending("config.json")
    do throws(CheckpointError) {
      try self.init(path, bytes: try file.read(limit: Limits.config))
    } catch {
      throw error.inFile(displayed(path))
    }
  }
}

/// The bytes of a file that is open only while it is read.
private struct UnopenedFile: TensorBytes {
  let path: FilePath
  let stamp: FileStamp
  let count: Int
  var isReadForwards: Bool { false }

  init(_ file: InputFile) {
    path = file.path
    stamp = file.stamp
    count = file.size
  }

  func read(at offset: Int, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let file = try InputFile(path)
    guard file.stamp == stamp else { throw CheckpointError(.changedWhileRead, file: file.name) }
    try file.read(at: offset, into: &buffer)
  }
}
