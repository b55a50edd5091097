import TensorCore

/// What we accept from a file before we call it an attack. No real checkpoint comes near.
enum Limits {
  /// Bytes of a safetensors header, as the reference implementation has it.
  static let safetensorsHeader = 100_000_000
  /// Tensors of a file, or of an index.
  static let tensors = 262_144
  /// Bytes of an npy header. Version 1 cannot have more than 65,535.
  static let npyHeader = 1_048_576
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
  /// Extents of a tensor.
  static let rank = 64
  /// Members of a zip archive.
  static let zipMembers = tensors
  /// Bytes of the directory of a zip archive.
  static let zipDirectory = 128 << 20
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
