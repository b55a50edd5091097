import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The folder that a target is in.
///
/// Runs that write into one folder take turns (`flock` on the folder) when they create temporaries,
/// remove those that dead runs have left, and give targets their names. So nobody takes a temporary
/// that has just been created for a leftover, and two runs do not mix their files.
final class TargetFolder {
  private let path: FilePath
  private let descriptor: FileDescriptor
  private var isOpen = true

  /// Opens the folder that `target` is in.
  init(of target: FilePath) throws(CheckpointError) {
    path = target.parent
    let path = path
    descriptor = try systemCall("cannot create", target) {
      try FileDescriptor.open(
        path, .readOnly, options: [.closeOnExec, .directory], retryOnInterrupt: true)
    }
  }

  deinit {
    if isOpen { try? descriptor.close() }
  }

  /// Does what must not happen at the same time as the like of another run.
  ///
  /// Waits for its turn. Where the file system has no locks, nobody waits.
  func whileLocked<Result>(
    _ body: () throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    while flock(descriptor.rawValue, LOCK_EX) != 0, errno == EINTR {}
    defer { _ = flock(descriptor.rawValue, LOCK_UN) }
    return try body()
  }

  /// Makes the names in the folder durable, and closes it.
  func finish() throws(CheckpointError) {
    isOpen = false
    try systemCall("cannot write", path) {
      defer { try? descriptor.close() }
      try synchronizeFolder(descriptor)
    }
  }
}

/// Makes the names in a folder durable.
func synchronize(_ folder: FilePath) throws(CheckpointError) {
  try systemCall("cannot write", folder) {
    let descriptor = try FileDescriptor.open(folder, .readOnly, options: [.closeOnExec])
    defer { try? descriptor.close() }
    try synchronizeFolder(descriptor)
  }
}

private func synchronizeFolder(_ descriptor: FileDescriptor) throws {
  while fsync(descriptor.rawValue) != 0 {
    // Not every file system lets one synchronise a folder; those that do not need none.
    if errno == EINVAL || errno == ENOTSUP { return }
    if errno != EINTR { throw Errno(rawValue: errno) }
  }
}
