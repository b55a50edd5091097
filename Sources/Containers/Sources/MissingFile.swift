import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension CheckpointError {
  /// Why nothing is at `path`, if more can be said than that.
  static func missing(_ path: FilePath) -> CheckpointError? {
    if path == "-" {
      return CheckpointError(
        .malformed("standard input is not read; a file of that name is \"./-\""), file: "-")
    }
    if path.isRemote {
      do throws(CheckpointError) {
        _ = try RemotePlaces.shared.open(path)
        return nil
      } catch {
        return error
      }
    }
    if let address = address(path) {
      return CheckpointError(
        .unsupported("is an address, and of these only https://, http:// and hf:// are read"),
        file: address, advice: "download it first")
    }
    guard let target = linkTarget(path), path.status == nil else { return nil }
    let isCache = target.contains("blobs/")
    let reason = isCache ? "; the hub's cache lacks the file: download it again" : ""
    return CheckpointError(
      .malformed("is a link to \"\(target)\", where nothing is\(reason)"), file: displayed(path),
      advice: isCache ? nil : "put the file there, or link to where it is")
  }

  /// Why nothing can be written at `path`, if its name means something else.
  static func noTarget(_ path: FilePath) -> CheckpointError? {
    if path == "-" {
      return CheckpointError(
        .malformed("standard output is not written to; a target of that name is \"./-\""),
        file: "-")
    }
    return address(path).map {
      CheckpointError(.unsupported("is an address, and only files are written"), file: $0)
    }
  }

  /// The address that a path was before it became one, which took a slash from it; `nil` if it begins
  /// with no scheme.
  private static func address(_ path: FilePath) -> String? {
    guard !path.isAbsolute, let first = path.components.first?.string, first.hasSuffix(":"),
      path.components.count > 1
    else { return nil }
    let scheme = first.dropLast()
    guard scheme.utf8.count > 1,
      scheme.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "+") })
    else { return nil }
    return first + "/" + displayed(path).dropFirst(first.count)
  }

  private static func linkTarget(_ path: FilePath) -> String? {
    var bytes = [CChar](repeating: 0, count: 4096)
    let count = unsafe path.withPlatformString { name in
      unsafe bytes.withUnsafeMutableBufferPointer { buffer in
        guard let start = buffer.baseAddress else { return -1 }
        return unsafe readlink(name, start, buffer.count - 1)
      }
    }
    guard count > 0 else { return nil }
    let target = bytes[..<count].map { UInt8(bitPattern: $0) }
    return displayed(FilePath(String(decoding: target, as: UTF8.self)))
  }
}
