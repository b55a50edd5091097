public import SystemPackage
public import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What tells a file from what it may be later, without reading all of it.
///
/// Of a small file it is the digest of its bytes. Of a larger one it is its size, when it was changed, and the digest of its first and last 64 KiB,
/// where headers and directories are. Of one on another machine it is its size, the server's ETag (or when it was changed) and the digest of the first 64 KiB.
public struct InputIdentity: Equatable, Sendable {
  /// How many bytes it has.
  public let size: Int
  /// The SHA-256 of what is read of it.
  public let sha256: String
  /// Whether that is all of it.
  public let isWhole: Bool
  /// When it was changed, in seconds with nine decimals, or what the server says; empty if all of it was digested.
  public let mark: String

  /// Whether a file with the same mark is the same byte for byte, as its server says: not of a weak ETag, nor without one.
  public var isStrong: Bool { !mark.isEmpty && !mark.hasPrefix("W/") }

  /// Files of at most so many bytes are digested whole.
  public static let wholeSize = 1 << 20
  private static let endSize = 1 << 16

  /// Says again what was said of a file.
  public init(size: Int, sha256: String, isWhole: Bool, mark: String) {
    (self.size, self.sha256, self.isWhole, self.mark) = (size, sha256, isWhole, mark)
  }

  /// Looks at a file.
  ///
  /// - Throws: `CheckpointError` if it cannot be read.
  public init(_ path: FilePath) throws(CheckpointError) {
    let file = try InputFile(path)
    size = file.size
    isWhole = size <= Self.wholeSize
    var sha = SHA256()
    if isWhole {
      sha.update(try file.read(0..<size))
      mark = ""
    } else {
      sha.update(try file.head(Self.endSize))
      if !path.isRemote { sha.update(try file.read(size - Self.endSize..<size)) }
      mark = file.mark
    }
    sha256 = sha.finalized()
  }
}

extension InputFile {
  /// What says that it has changed: the time of the last change, or what a server says.
  fileprivate var mark: String {
    if path.isRemote { return (try? RemotePlaces.shared.open(path).mark) ?? "" }
    return path.status.map(modificationText) ?? ""
  }
}

/// When a file was changed, in seconds since 1970 with nine decimals.
package func modificationText(_ status: Stat) -> String {
  let nanoseconds = String(status.st_mtim.tv_nsec)
  return "\(status.st_mtim.tv_sec)."
    + String(repeating: "0", count: max(0, 9 - nanoseconds.count)) + nanoseconds
}
