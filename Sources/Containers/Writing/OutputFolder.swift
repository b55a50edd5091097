import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A folder that is being filled under a temporary name.
///
/// If it may be resumed, whole files in it outlive an error or an interruption, and the next run takes
/// it over: each file that is there is compared with what would be written, byte for byte, and written
/// again unless it is that.
final class OutputFolder {
  /// Where it is now.
  let path: FilePath
  /// How many files of an earlier run were found to be right.
  private(set) var resumedCount = 0

  fileprivate let target: FilePath
  private let isResumable: Bool
  private let registration: TemporaryFiles.Registration
  private let descriptor: FileDescriptor
  private var files: [OutputFile] = []
  private var wholeNames: Set<FilePath.Component> = []
  private var isKept = false
  private var wasAdopted = false

  /// Creates an empty folder beside `target`, or takes over one that an earlier run has left.
  init(_ target: FilePath, isResumable: Bool = false) throws(CheckpointError) {
    self.target = target
    self.isResumable = isResumable
    if isResumable, let adopted = TemporaryFiles.adoptFolder(of: target) {
      (path, descriptor) = adopted
      wasAdopted = true
      registration = TemporaryFiles.register(path)
      return
    }
    let path = TemporaryFiles.name(for: target)
    self.path = path
    registration = TemporaryFiles.register(path)
    do throws(CheckpointError) {
      descriptor = try systemCall("cannot create", target) {
        if unsafe path.withPlatformString({ unsafe mkdir($0, 0o777) }) != 0 {
          throw Errno(rawValue: errno)
        }
        return try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow])
      }
    } catch {
      removeTree(path)
      registration.forget()
      throw error
    }
    _ = flock(descriptor.rawValue, LOCK_EX | LOCK_NB)
  }

  deinit {
    if !isKept {
      files = []
      if wholeNames.isEmpty, !wasAdopted { removeTree(path) }
      registration.forget()
    }
    try? descriptor.close()
  }

  /// Writes one file of the plan.
  func write(_ file: WritePlan.File, progress: (Int) -> Void) throws(CheckpointError) {
    guard let name = file.path.lastComponent else { return }
    let isWhole = isResumable ? try isThere(file, name, progress: progress) : false
    if !isWhole {
      let output = try OutputFile(path.appending(name), for: file.path)
      files.append(output)
      try file.write(to: output, progress: progress)
      try output.synchronize()
      try output.close()
      if isResumable { output.keep() }
    }
    if isResumable { wholeNames.insert(name) }
  }

  /// Whether an earlier run has written exactly this file. If not, it is removed.
  private func isThere(
    _ file: WritePlan.File, _ name: FilePath.Component, progress: (Int) -> Void
  ) throws(CheckpointError) -> Bool {
    let place = path.appending(name)
    guard place.linkStatus != nil else { return false }
    var seen = 0
    if file.isComparable, let output = OutputFile(comparing: place, for: file.path) {
      do throws(CheckpointError) {
        try compare(file, with: output) { count in
          seen += count
          progress(count)
        }
        resumedCount += 1
        return true
      } catch {
        // Whatever else is wrong, with the source for one, is an error as always.
        guard output.isDifferent else { throw error }
      }
    }
    removeTree(place)
    progress(-seen)
    return false
  }

  private func compare(
    _ file: WritePlan.File, with output: OutputFile, progress: (Int) -> Void
  ) throws(CheckpointError) {
    try file.write(to: output, progress: progress)
    try output.synchronize()
    try output.close()
  }

  /// Makes the names of the files durable.
  func finish() throws(CheckpointError) {
    if isResumable {
      // Of an earlier run that had another plan.
      for name in try names(in: path) where !wholeNames.contains(name) {
        removeTree(path.appending(name))
      }
    }
    try synchronize(path, for: target)
  }

  /// The folder has its name now.
  fileprivate func keep() {
    isKept = true
    for file in files { file.keep() }
    registration.forget()
  }

  /// Gives files of the old folder that have nothing to do with the checkpoint a place in the new.
  fileprivate func linkOthers() throws(CheckpointError) {
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

/// A folder that gets its name. What had the name before goes, except files that are not ours.
struct FolderCommit: NameChange {
  /// What was written.
  let folder: OutputFolder
  /// Whether a folder with files in it may be replaced.
  let isReplacing: Bool
  private var made: RenameFlag?
  private var wasThere = false

  init(_ folder: OutputFolder, isReplacing: Bool) {
    self.folder = folder
    self.isReplacing = isReplacing
  }

  mutating func make() throws(CheckpointError) {
    let target = folder.target
    wasThere = target.linkStatus != nil
    let isFree = wasThere ? try names(in: target).isEmpty : true
    if isFree || !isReplacing {
      // An empty folder is replaced in one step as well; one with files in it is not.
      try rename(folder.path, to: target, replacing: wasThere)
      made = .replace
    } else {
      try folder.linkOthers()
      try folder.finish()
      guard RenameFlag.exchange.rename(folder.path, target) == 0 else {
        throw CheckpointError(
          .system(errno, "cannot exchange folders"), file: displayed(target),
          advice: "remove the target first")
      }
      made = .exchange
    }
  }

  func undo() {
    guard let made else { return }
    _ = made.rename(folder.target, folder.path)
    if wasThere, made == .replace {
      _ = unsafe folder.target.withPlatformString { unsafe mkdir($0, 0o777) }
    }
  }

  func finish() {
    folder.keep()
    if made == .exchange { removeTree(folder.path) }
  }
}
