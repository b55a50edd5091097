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
  /// What of an earlier run was found to be right.
  private(set) var resumed = ResumedWork()

  fileprivate let target: FilePath
  private let isResumable: Bool
  /// What files are made of: if it is known, files are gone on with where they end.
  private let key: String?
  /// Whether a file is there that is not whole.
  private var hasPart = false
  private let registration: TemporaryFiles.Registration
  private let descriptor: FileDescriptor
  private var files: [OutputFile] = []
  private var wholeNames: Set<[UInt8]> = []
  /// The folders in it, each after the one that it is in.
  private var folders: [(path: FilePath, registration: TemporaryFiles.Registration)] = []
  private var isKept = false
  private var wasAdopted = false

  /// Creates an empty folder beside `target`, or takes over one that an earlier run has left.
  ///
  /// - Parameter key: a digest of all that decides about the bytes of its files, if it is known.
  init(
    _ target: FilePath, isResumable: Bool = false, key: String? = nil
  ) throws(CheckpointError) {
    self.target = target
    self.isResumable = isResumable
    self.key = isResumable ? key : nil
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

  /// Takes over a folder in which whole files stand already; `take` names them.
  init(adopting path: FilePath, for target: FilePath) throws(CheckpointError) {
    (self.path, self.target, isResumable, wasAdopted) = (path, target, true, true)
    key = nil
    registration = TemporaryFiles.register(path)
    do throws(CheckpointError) {
      descriptor = try systemCall("cannot open", path) {
        try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec, .noFollow])
      }
    } catch {
      registration.forget()
      throw error
    }
  }

  /// Says that a file of the plan is there, whole.
  func take(_ file: WritePlan.File) throws(CheckpointError) {
    wholeNames.insert(name(of: try place(of: file), in: path))
  }

  deinit {
    if !isKept {
      files = []
      if wholeNames.isEmpty, !wasAdopted, !hasPart { removeTree(path) }
      forget()
    }
    try? descriptor.close()
  }

  /// Writes one file of the plan.
  func write(_ file: WritePlan.File, progress: (Int) -> Void) throws(CheckpointError) {
    let place = try self.place(of: file)
    if let key {
      try resume(file, place, key: key, progress: progress)
      wholeNames.insert(name(of: place, in: path))
      return
    }
    let isWhole = isResumable ? try isThere(file, place, progress: progress) : false
    if !isWhole {
      let output = try OutputFile(place, for: file.path)
      files.append(output)
      try file.write(to: output, progress: progress)
      try output.synchronize()
      try output.close()
      if isResumable { output.keep() }
    }
    if isResumable { wholeNames.insert(name(of: place, in: path)) }
  }

  /// Writes a file from where an earlier run has ended.
  private func resume(
    _ file: WritePlan.File, _ place: FilePath, key: String, progress: (Int) -> Void
  ) throws(CheckpointError) {
    if let status = place.linkStatus, status.type != .regular { removeTree(place) }
    hasPart = true
    let name = String(decoding: name(of: place, in: path), as: UTF8.self)
    let own = FileDigest(Array("\(key)\n\(name)\n\(file.byteCount)".utf8)).sha256
    for attempt in 0..<2 {
      let output = try OutputFile(resuming: place, for: file.path, key: own)
      let trusted = output.trusted
      var seen = 0
      do throws(CheckpointError) {
        try file.write(to: output) { count in
          seen += count
          progress(count)
        }
        try output.synchronize()
        try output.close()
      } catch {
        // Whatever else is wrong is an error as always.
        guard output.isDifferent, attempt == 0 else { throw error }
        removeTree(place)
        removeTree(ResumeJournal.path(of: place))
        progress(-seen)
        continue
      }
      if trusted > 0 {
        resumed.files += 1
        resumed.byteCount += trusted
      }
      return
    }
  }

  /// Where a file stands until the folder has its name; makes the folders that it is in.
  private func place(of file: WritePlan.File) throws(CheckpointError) -> FilePath {
    var place = path
    let names = file.path.components.dropFirst(target.components.count)
    for name in names.dropLast() {
      place.append(name)
      if place.linkStatus?.type == .directory { continue }
      removeTree(place)
      let folder = place
      folders.append((folder, TemporaryFiles.register(folder)))
      try makeFolder(folder, for: file.path)
    }
    return names.last.map { place.appending($0) } ?? place
  }

  private func forget() {
    for folder in folders { folder.registration.forget() }
    registration.forget()
  }

  /// Whether an earlier run has written exactly this file. If not, it is removed.
  private func isThere(
    _ file: WritePlan.File, _ place: FilePath, progress: (Int) -> Void
  ) throws(CheckpointError) -> Bool {
    guard place.linkStatus != nil else { return false }
    var seen = 0
    if file.isComparable, let output = OutputFile(comparing: place, for: file.path) {
      do throws(CheckpointError) {
        try compare(file, with: output) { count in
          seen += count
          progress(count)
        }
        resumed.files += 1
        resumed.byteCount += file.byteCount
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
    // Of an earlier run that had another plan.
    if isResumable { try removeOthers(in: path) }
    for folder in folders.reversed() { try synchronize(folder.path, for: target) }
    try synchronize(path, for: target)
  }

  private func removeOthers(in folder: FilePath) throws(CheckpointError) {
    for component in try names(in: folder) {
      let place = folder.appending(component)
      if place.linkStatus?.type == .directory {
        try removeOthers(in: place)
        // Only if nothing is left in it.
        _ = unsafe place.withPlatformString { unsafe rmdir($0) }
      } else if !wholeNames.contains(name(of: place, in: path)) {
        removeTree(place)
      }
    }
  }

  /// The folder has its name now.
  fileprivate func keep() {
    isKept = true
    for file in files { file.keep() }
    forget()
  }

  /// Gives files of the old folder that have nothing to do with the checkpoint a place in the new, and
  /// makes the folders that they are in.
  fileprivate func linkOthers(
    of old: FilePath, in new: FilePath, but removed: Set<[UInt8]>
  ) throws(CheckpointError) {
    for component in try names(in: old) {
      let (from, to) = (old.appending(component), new.appending(component))
      if from.linkStatus?.type == .directory {
        if to.linkStatus == nil {
          folders.append((to, TemporaryFiles.register(to)))
          try makeFolder(to, for: from)
        }
        try linkOthers(of: from, in: to, but: removed)
        continue
      }
      if to.linkStatus != nil || removed.contains(name(of: to, in: path)) { continue }
      let result = unsafe from.withPlatformString { old in
        unsafe to.withPlatformString { unsafe linkat(AT_FDCWD, old, AT_FDCWD, $0, 0) }
      }
      guard result == 0 else {
        throw CheckpointError(.system(errno, "cannot keep"), file: displayed(from))
      }
      wholeNames.insert(name(of: to, in: path))
    }
  }
}

/// Makes a folder, for a file of the target.
private func makeFolder(_ path: FilePath, for target: FilePath) throws(CheckpointError) {
  try systemCall("cannot create", target) {
    if unsafe path.withPlatformString({ unsafe mkdir($0, 0o777) }) != 0 {
      throw Errno(rawValue: errno)
    }
  }
}

/// The path from a folder to what is in it, with slashes.
private func name(of path: FilePath, in folder: FilePath) -> [UInt8] {
  let names = path.components.dropFirst(folder.components.count).map(\.bytes)
  return Array(names.joined(separator: [UInt8(ascii: "/")]))
}

/// A folder that gets its name. What had the name before goes, except files that are not ours.
struct FolderCommit: NameChange {
  /// What was written.
  let folder: OutputFolder
  /// Whether a folder with files in it may be replaced.
  let isReplacing: Bool
  /// The names of files in it that go.
  let removed: Set<[UInt8]>
  private var made: RenameFlag?
  private var wasThere = false

  init(_ folder: OutputFolder, isReplacing: Bool, removing removed: Set<[UInt8]>) {
    self.folder = folder
    self.isReplacing = isReplacing
    self.removed = removed
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
      try folder.linkOthers(of: target, in: folder.path, but: removed)
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

/// What of an earlier run's work was kept.
public struct ResumedWork: Sendable, Equatable {
  /// How many files were there, whole or in part, and how many bytes of them were right.
  public var files = 0
  public var byteCount = 0

  /// Nothing.
  public init() {}
}
