import TensorCore

/// What we accept from a file before we call it an attack. No real checkpoint comes near.
enum Limits {
  /// Bytes of a safetensors header, as the reference implementation has it.
  static let safetensorsHeader = 100_000_000
  /// Tensors of a file, or of an index.
  static let tensors = 262_144
  /// Bytes of an npy header. Version 1 cannot have more than 65,535.
  static let npyHeader = 1_048_576
  /// Bytes of what stands before the tensors of a GGUF file, and its key-values.
  static let ggufHeader = 128 << 20
  /// Bytes of a text among the key-values: a tokenizer.json can be one.
  static let ggufText = 32 << 20
  static let ggufValues = 65_536
  /// Bytes of the filters, and of the words, before the tensors of a ggml file.
  static let ggmlHead = 32 << 20
  /// Bytes of a shard index.
  static let shardIndex = 100_000_000
  /// Bytes of a config.json.
  static let config = 3 << 20
  /// Bytes of a text that we read whole, such as a manifest.
  static let text = 100_000_000
  /// What is looked at in a folder and the folders in it.
  static let folderEntries = 65_536
  /// How deep folders in folders are looked at.
  static let folderDepth = 32
  /// Bytes of a tensor's name.
  static let name = 65_536
  /// Bytes of all names of a file in which a name is a path, and its beginning costs nothing.
  static let pathNames = 64 << 20
  /// Members of all maps of a MessagePack file, and bytes of a text in it.
  static let messageMembers = 524_288
  static let messageText = 1 << 20
  /// Extents of a tensor.
  static let rank = 64
  /// Members of a zip archive.
  static let zipMembers = tensors
  /// Bytes of the directory of a zip archive.
  static let zipDirectory = 128 << 20
  /// Bytes of a pickle that are looked at; long texts are passed over.
  static let pickle = 128 << 20
  /// Bytes of what a pickle makes, as counted while it is read.
  static let pickleMemory = 96 << 20
  /// The same of the metadata of a distributed checkpoint, which has two objects for each chunk.
  static let metadataMemory = 1 << 30
  /// Bytes of a pickle that is compressed.
  static let pickleText = 64 << 20
  /// Bytes of all tensors of a file of views, if that is 1032 times smaller.
  static let views = 256 << 20
  /// Bytes of what a file holds that is compressed as a whole, and so held in memory.
  static let gzip = 2 << 30
  /// Files of a tar archive.
  static let tarMembers = 4096
  /// Bytes of a line of a pickle.
  static let pickleLine = 65_536
  /// Values on a pickle's stack, and marks there.
  static let pickleStack = 1 << 21
  /// How deep tensors are looked for in lists and dictionaries.
  static let pickleDepth = 1000
  /// Values that are looked at on all paths through a pickle.
  static let pickleSteps = 1 << 24
  /// Bytes of all paths to what is in a pickle.
  static let pickleNames = 48 << 20
  /// Faults of a header, or of an index, that are collected; others are counted.
  static let reportedFaults = 1000

  /// Checks a tensor's name and rank.
  static func check(name: TensorName, rank: Int, offset: Int) throws(CheckpointError) {
    if name.text.utf8.count > Self.name {
      throw CheckpointError(
        .limitExceeded("the length of a name", limit: Self.name, found: name.text.utf8.count),
        offset: offset)
    }
    if rank > Self.rank {
      throw CheckpointError(
        .limitExceeded("the number of dimensions", limit: Self.rank, found: rank), tensor: name,
        offset: offset)
    }
  }
}

/// Counts what the names of a file take whose tensors are named by paths: a tree of a few bytes can have
/// very long ones.
struct NameBudget {
  private var left: Int = Limits.pathNames

  /// Takes note of a name, or of what is about to become one.
  mutating func take(_ byteCount: Int) throws(CheckpointError) {
    left -= min(left + 1, byteCount)
    guard left >= 0 else {
      throw CheckpointError(
        .malformed("the names take more than \(Limits.pathNames) bytes together"))
    }
  }
}
