public import SystemPackage
public import TensorCore

/// What a file's bytes are: how many, and their digest.
public struct FileDigest: Equatable, Sendable {
  /// How many bytes there are.
  public let size: Int
  /// Their SHA-256, in lower-case hexadecimal.
  public let sha256: String

  /// Digests a file, in pieces.
  ///
  /// - Throws: `CheckpointError` if it cannot be read, or changes meanwhile.
  public init(_ path: FilePath) throws(CheckpointError) {
    try self.init(InputFile(path))
  }

  /// Digests bytes in memory.
  public init(_ bytes: [UInt8]) {
    var sha = SHA256()
    sha.update(bytes)
    size = bytes.count
    sha256 = sha.finalized()
  }

  fileprivate init(_ file: InputFile) throws(CheckpointError) {
    var sha = SHA256()
    for start in stride(from: 0, to: file.size, by: 1 << 20) {
      sha.update(try file.read(start..<min(start + 1 << 20, file.size)))
    }
    size = file.size
    sha256 = sha.finalized()
  }
}

extension Checkpoint {
  /// The digest of one of the checkpoint's own files of weights, or of its index.
  ///
  /// - Throws: `CheckpointError` if the file is not the one that was opened any more.
  public func digest(of path: FilePath) throws(CheckpointError) -> FileDigest {
    let file = try InputFile(path)
    guard stamps[path] == file.stamp else {
      throw CheckpointError(.changedWhileRead, file: file.name)
    }
    return try FileDigest(file)
  }
}
