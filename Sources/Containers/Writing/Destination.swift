package import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension CheckpointWriter {
  /// Checks the target itself: what is there now, and whether it may be replaced.
  func checkDestination() throws(CheckpointError) {
    if let error = CheckpointError.noTarget(destination) { throw error }
    guard destination.lastComponent?.kind == .regular else {
      throw refusal("is no name for a target")
    }
    guard let status = destination.linkStatus else { return }
    if isFolder {
      try checkFolder(status)
    } else if let type = destination.status?.type, type != .regular {
      // A device or a pipe must not give way to a file, even where it could.
      throw refusal("is \(type.words), and a file was to be written")
    } else if let own = identity(destination), sources.contains(where: { identity($0) == own }) {
      throw refusal("is the source itself, which is never touched")
    } else if !overwrite {
      throw refusal("exists already", advice: "--force replaces it")
    }
  }

  /// Checks that the folder is there in which the target is to be.
  func checkParent() throws(CheckpointError) {
    let folder = destination.parent.isEmpty ? "." : destination.parent
    guard folder.status == nil else { return }
    throw CheckpointError(
      .system(ENOENT, "cannot create"), file: displayed(destination),
      advice: "make the folder \(displayed(folder)) first")
  }

  private func checkFolder(_ status: Stat) throws(CheckpointError) {
    guard status.type == .directory else {
      let words = status.type == .regular ? "a file" : status.type.words
      throw refusal("is \(words), and a folder was to be written")
    }
    let names = try names(in: destination)
    if names.isEmpty { return }
    for source in sources where isInside(source, destination) {
      throw refusal("has the source in it, which is never touched")
    }
    guard overwrite else { throw refusal("exists already", advice: "--force replaces it") }
    if let inner = try firstSpecial(in: destination) {
      let name = "\"\(displayed(inner))\""
      throw refusal("is not replaced, because \(name) in it is no file, link or folder")
    }
  }

  /// Checks that none of the files that will be written is a source, and that none is in the way.
  ///
  /// - Parameter companions: further sources.
  func checkFiles(
    _ files: [FilePath], besides companions: [FilePath] = []
  ) throws(CheckpointError) {
    let taken = Set((sources + companions).compactMap { identity($0) })
    var seen: Set<FilePath> = []
    for file in files {
      guard seen.insert(file).inserted else {
        throw refusal("two files of the name \(displayed(file)) would be written")
      }
      if let identity = identity(file), taken.contains(identity) {
        throw CheckpointError(
          .refused("is the source itself, which is never touched"), file: displayed(file))
      }
      if isFolder { try checkPlace(of: file) }
      if !isFolder, file != destination, file.linkStatus != nil, !overwrite {
        throw CheckpointError(
          .refused("exists already and differs"), file: displayed(file),
          advice: "--force replaces it")
      }
    }
  }

  /// Checks that no folder is where a file is to be, and no file where a folder is.
  private func checkPlace(of file: FilePath) throws(CheckpointError) {
    if file.linkStatus?.type == .directory {
      throw CheckpointError(
        .refused("is a folder, and a file was to be written"), file: displayed(file))
    }
    var folder = file.parent
    while folder.components.count > destination.components.count {
      if let type = folder.linkStatus?.type, type != .directory {
        throw CheckpointError(
          .refused("is no folder, and a file was to be written into it"), file: displayed(folder))
      }
      folder = folder.parent
    }
  }

  /// What goes when the target is replaced: see `WritePlan.removed`.
  func removals(writing files: [FilePath]) throws(CheckpointError) -> [Surroundings.Item] {
    guard isFolder, overwrite, destination.linkStatus != nil else { return [] }
    let written = Set(files)
    var removed: [Surroundings.Item] = []
    for name in try names(in: destination) {
      let path = destination.appending(name)
      if written.contains(path) { continue }
      if let words = try WeightsInFolder.claim(of: path) {
        removed.append(Surroundings.Item(name.bytes, words))
      } else if name.string == "modules.json" {
        removed.append(Surroundings.Item(name.bytes, "a list of modules on another model"))
      }
    }
    return removed
  }

  /// What lies in the target when it is replaced, and stays: files and folders that nothing is written to, and that are
  /// not removed.
  func remainder(
    writing files: [FilePath], removing removed: [Surroundings.Item]
  ) throws(CheckpointError) -> [Surroundings.Item] {
    guard isFolder, overwrite, destination.linkStatus != nil else { return [] }
    let gone = Set(removed.map(\.bytes))
    let written = Set(
      files.map { file in
        var place = file
        while place.components.count > destination.components.count + 1 { place = place.parent }
        return place
      })
    return try names(in: destination)
      .filter { !written.contains(destination.appending($0)) && !gone.contains($0.bytes) }
      .map { Surroundings.Item($0.bytes, "left as it was") }
  }

  /// Why the target has no place for a file of the source, or `nil` if it has.
  func obstacle(to file: CompanionFile) -> String? {
    if let path = file.path, isFolder, isInside(path, destination) { return "it is in the target" }
    return format.holdsFiles ? TFZ.obstacle(to: file) : nil
  }

  private func refusal(_ reason: String, advice: String? = nil) -> CheckpointError {
    CheckpointError(.refused(reason), file: displayed(destination), advice: advice)
  }

  /// Whether a file is there and has exactly these bytes.
  static func holds(_ path: FilePath, _ bytes: [UInt8]) throws(CheckpointError) -> Bool {
    guard path.status?.type == .regular else { return false }
    for _ in 0..<8 {
      do throws(CheckpointError) {
        let file = try InputFile(path)
        guard file.size == bytes.count else { return false }
        return try file.read(0..<file.size) == bytes
      } catch {
        // Another process has put a file of that name in its place: that one counts.
        guard error.problem == .changedWhileRead else { throw error }
      }
    }
    throw CheckpointError(.changedWhileRead, file: displayed(path))
  }
}

/// Whether a file is in a folder, or in a folder in it.
package func isInside(_ file: FilePath, _ folder: FilePath) -> Bool {
  guard let wanted = identity(folder) else { return false }
  var place = file.parent
  var last: FileIdentity?
  for _ in 0..<128 {
    guard let found = identity(place), found != last else { return false }
    if found == wanted { return true }
    last = found
    place = place.appending("..")
  }
  return false
}

/// Something in a folder, or in a folder in it, that is neither a file nor a link nor a folder.
private func firstSpecial(in folder: FilePath, depth: Int = 0) throws(CheckpointError) -> FilePath?
{
  guard depth <= Limits.folderDepth else {
    throw CheckpointError(
      .limitExceeded("the depth of folders", limit: Limits.folderDepth, found: depth),
      file: displayed(folder))
  }
  for name in try names(in: folder) {
    let path = folder.appending(name)
    switch path.linkStatus?.type {
    case .regular, .symbolicLink: continue
    case .directory: if let inner = try firstSpecial(in: path, depth: depth + 1) { return inner }
    default: return path
    }
  }
  return nil
}

/// What makes two paths the same file.
private struct FileIdentity: Hashable {
  let device: UInt64
  let inode: UInt64
}

private func identity(_ path: FilePath) -> FileIdentity? {
  (path.isEmpty ? "." : path).status.map {
    FileIdentity(
      device: UInt64(truncatingIfNeeded: $0.rawValue.st_dev),
      inode: UInt64(truncatingIfNeeded: $0.rawValue.st_ino))
  }
}

/// Gives a file its name.
///
/// - Parameter replacing: whether a file of that name may be replaced. Otherwise the name is taken
///   in one step that fails if somebody else has it by now.
func rename(
  _ path: FilePath, to target: FilePath, replacing: Bool
) throws(CheckpointError) {
  let how: RenameFlag = replacing ? .replace : .exclusive
  if how.rename(path, target) == 0 { return }
  // Some file systems can only replace.
  if !replacing, isRenamingUnsupported(errno), target.linkStatus == nil,
    RenameFlag.replace.rename(path, target) == 0
  {
    return
  }
  if errno == EEXIST || errno == ENOTEMPTY {
    throw CheckpointError(
      .refused("exists already"), file: displayed(target), advice: "--force replaces it")
  }
  throw CheckpointError(.system(errno, "cannot rename"), file: displayed(target))
}

/// Whether an error number says that a file system cannot rename in that way.
func isRenamingUnsupported(_ number: Int32) -> Bool {
  number == EINVAL || number == ENOSYS || number == ENOTSUP
}
