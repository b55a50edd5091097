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
  private let target: FilePath
  private let descriptor: FileDescriptor

  /// Opens the folder that `target` is in.
  init(of target: FilePath) throws(CheckpointError) {
    self.target = target
    descriptor = try systemCall("cannot create", target) {
      try FileDescriptor.open(
        target.parent, .readOnly, options: [.closeOnExec, .directory], retryOnInterrupt: true)
    }
  }

  deinit {
    // Whether the names in it are durable has been asked, if it matters.
    try? descriptor.close()
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

  /// Gives the target its name and makes that durable, in one go that no signal interrupts.
  ///
  /// - Throws: `CheckpointError`; then every name stands for what it stood for before.
  func commit(_ change: inout some NameChange) throws(CheckpointError) {
    while flock(descriptor.rawValue, LOCK_EX) != 0, errno == EINTR {}
    defer { _ = flock(descriptor.rawValue, LOCK_UN) }
    try TemporaryFiles.uninterrupted { () throws(CheckpointError) in
      do throws(CheckpointError) {
        try change.make()
        try systemCall("cannot synchronise its folder", target) {
          try synchronizeFolder(descriptor)
        }
      } catch {
        change.undo()
        throw error
      }
      change.finish()
    }
  }
}

/// Targets getting their names, which can be undone until it is finished.
protocol NameChange {
  /// Gives the names.
  mutating func make() throws(CheckpointError)
  /// Lets every name stand for what it stood for before, as far as `make` has come.
  mutating func undo()
  /// Removes what had the names before: they are durable now.
  mutating func finish()
}

/// Makes the names in a folder durable.
func synchronize(_ folder: FilePath, for target: FilePath) throws(CheckpointError) {
  try systemCall("cannot write", target) {
    let descriptor = try FileDescriptor.open(
      folder, .readOnly, options: [.closeOnExec], retryOnInterrupt: true)
    do {
      try synchronizeFolder(descriptor)
    } catch {
      try? descriptor.close()
      throw error
    }
    try closeDurable(descriptor)
  }
}

/// Closes what has been synchronised.
func closeDurable(_ descriptor: FileDescriptor) throws {
  do {
    try descriptor.close()
  } catch Errno.interrupted {
    // It is closed all the same, and its bytes are durable already.
  }
}

private func synchronizeFolder(_ descriptor: FileDescriptor) throws {
  while fsync(descriptor.rawValue) != 0 {
    // Not every file system lets one synchronise a folder; those that do not need none.
    if errno == EINVAL || errno == ENOTSUP { return }
    if errno != EINTR { throw Errno(rawValue: errno) }
  }
}
