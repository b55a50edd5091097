public import SystemPackage
public import TensorCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif
internal import Containers

/// The folder that relative paths are from.
///
/// - Throws: `CheckpointError` if it has no path any more.
public func currentFolder() throws(CheckpointError) -> FilePath {
  guard let text = unsafe getcwd(nil, 0) else {
    throw CheckpointError(.system(errno, "cannot find the current folder"))
  }
  defer { unsafe free(text) }
  return unsafe FilePath(platformString: text)
}

/// Lets relative paths be from another folder.
///
/// - Throws: `CheckpointError` if there is none.
public func enterFolder(_ path: FilePath) throws(CheckpointError) {
  guard unsafe path.withPlatformString({ unsafe chdir($0) }) == 0 else {
    throw CheckpointError(.system(errno, "cannot enter"), file: displayed(path))
  }
}
