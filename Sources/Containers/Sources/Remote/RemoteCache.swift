import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Blocks of a remote file that have been fetched before, by this process or another, in a folder that the user has named.
///
/// A block is a file, written under another name and renamed, so that a reader finds a whole one or none, and whoever writes
/// the same one at the same time writes the same bytes. It ends with a checksum of its bytes: one that does not fit is fetched again.
/// Blocks lie in a folder whose name is a digest of address, size and ETag, so that a file that has changed is another one.
struct RemoteCache: Sendable {
  private let folder: FilePath

  /// Bytes of a block; the last one of a file has fewer.
  static let blockSize = 1 << 18

  /// The blocks of a file.
  ///
  /// `nil` if nothing tells what the file is now from what it may be later.
  init?(in root: FilePath?, url: String, mark: String, size: Int) {
    guard let root, !mark.isEmpty, !mark.hasPrefix("W/") else { return nil }
    let address = url.prefix { $0 != "?" }
    let key = FileDigest(Array("\(address)\n\(size)\n\(mark)".utf8)).sha256
    folder = root.appending(String(key.prefix(2))).appending(key)
  }

  private func path(_ number: Int) -> FilePath { folder.appending("\(number)") }

  /// Whether a block seems to be there.
  func has(_ number: Int) -> Bool { path(number).status?.type == .regular }

  /// A block of so many bytes, if it is there and whole.
  func block(_ number: Int, count: Int) -> [UInt8]? {
    guard has(number), let file = try? InputFile(path(number)), file.size == count + 8,
      let bytes = try? file.read(0..<file.size)
    else { return nil }
    let sum = littleEndian(bytes[count...])
    let block = Array(bytes[..<count])
    return sum == xxh3(block) ? block : nil
  }

  /// Keeps a block. That it cannot be kept is no error.
  func keep(_ number: Int, _ bytes: [UInt8]) {
    let names = folder.removingLastComponent()
    for place in [names.removingLastComponent(), names, folder] {
      _ = unsafe place.withPlatformString { unsafe mkdir($0, 0o700) }
    }
    let temporary = folder.appending(".\(getpid())-\(UInt64.random(in: 0 ... .max))")
    let sum = xxh3(bytes)
    let tail = (0..<8).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) }
    do {
      let file = try FileDescriptor.open(
        temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: [.ownerRead, .ownerWrite])
      try file.closeAfter { _ = try file.writeAll(bytes + tail) }
      let target = path(number)
      let isKept = unsafe temporary.withPlatformString { from in
        unsafe target.withPlatformString { unsafe rename(from, $0) == 0 }
      }
      if isKept { return }
    } catch {}
    _ = unsafe temporary.withPlatformString { unsafe unlink($0) }
  }
}
