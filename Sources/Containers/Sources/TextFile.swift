public import SystemPackage
public import TensorCore

/// The bytes of a small file that belongs to no container, such as a list of digests.
///
/// - Throws: `CheckpointError` that names the file if it cannot be read or is too large.
public func readText(_ path: FilePath) throws(CheckpointError) -> [UInt8] {
  let file = try InputFile(path)
  guard file.size <= Limits.text else {
    throw CheckpointError(
      .limitExceeded("the size", limit: Limits.text, found: file.size), file: file.name)
  }
  return try file.read(0..<file.size)
}
