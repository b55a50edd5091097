import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A folder that is being filled under a temporary name.
final class OutputFolder {
  /// Where it is now.
  let path: FilePath

  private let target: FilePath
  private let registration: TemporaryFiles.Registration
  private let descriptor: FileDescriptor
  private var files: [OutputFile] = []
  private var isKept = false

  /// Creates an empty folder beside `target`.
  init(_ target: FilePath) throws(CheckpointError) {
    let path = TemporaryFiles.name(for: target)
    self.path = path
    self.target = target
    registration = TemporaryFiles.register(path)
    do throws(CheckpointError) {
      descriptor = try systemCall("cannot create", target) {
        if unsafe path.withPlatformString({ unsafe mkdir($0, 0o777) }) != 0 {
          throw Errno(rawValue: errno)
        }
        return try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow])
      }
    } catch {
      registration.forget()
      throw error
    }
    _ = flock(descriptor.rawValue, LOCK_EX | LOCK_NB)
  }

  deinit {
    if !isKept {
      files = []
      removeTree(path)
      registration.forget()
    }
    try? descriptor.close()
  }

  /// Writes one file of the plan.
  func write(_ file: WritePlan.File, progress: (Int) -> Void) throws(CheckpointError) {
    guard let name = file.path.lastComponent else { return }
    let output = try OutputFile(path.appending(name), for: file.path)
    files.append(output)
    try file.write(to: output, progress: progress)
    try output.synchronize()
    try output.close()
  }

  /// Makes the names of the files durable.
  func finish() throws(CheckpointError) {
    try synchronize(path)
  }

  /// Gives the folder its name. What had the name before is gone, except files that are not ours.
  func commit(replacing: Bool) throws(CheckpointError) {
    let isThere = target.linkStatus != nil
    let isFree = isThere ? try names(in: target).isEmpty : true
    if isFree || !replacing {
      // An empty folder is replaced in one step as well; one with files in it is not.
      try rename(path, to: target, replacing: isThere)
      keep()
    } else {
      try linkOthers()
      try finish()
      guard RenameFlag.exchange.rename(path, target) == 0 else {
        throw CheckpointError(
          .system(errno, "cannot exchange folders"), file: displayed(target),
          advice: "remove the target first")
      }
      keep()
      removeTree(path)
    }
  }

  private func keep() {
    isKept = true
    for file in files { file.keep() }
    registration.forget()
  }

  /// Gives files of the old folder that have nothing to do with the checkpoint a place in the new.
  private func linkOthers() throws(CheckpointError) {
    for name in try names(in: target) where !belongsToCheckpoint(name) {
      let new = path.appending(name)
      if new.linkStatus != nil { continue }
      let result = unsafe target.appending(name).withPlatformString { old in
        unsafe new.withPlatformString { unsafe linkat(AT_FDCWD, old, AT_FDCWD, $0, 0) }
      }
      guard result == 0 else {
        throw CheckpointError(
          .system(errno, "cannot keep"), file: displayed(target.appending(name)))
      }
    }
  }

  private func belongsToCheckpoint(_ name: FilePath.Component) -> Bool {
    name.string == "config.json" || name.string.hasSuffix(".index.json")
      || name.extension.flatMap(ContainerFormat.withExtension) != nil
  }
}
