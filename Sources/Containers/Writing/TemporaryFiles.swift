import SystemPackage
import Synchronization
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The files and folders that exist under temporary names and must not outlive the process.
///
/// A temporary for `NAME` is called `.NAME.XXXXXX.tfpart` and stands beside it. Its writer holds a
/// lock (`flock`) on it, so that the next run to the same target can tell a dead run's leftovers
/// from a living one's work, and removes them.
public enum TemporaryFiles {
  /// Removes everything that is registered.
  ///
  /// Safe in a signal handler: it calls nothing but `unlink` and `rmdir` on strings that were
  /// allocated before. Newest first, so that files go before their folder.
  public static func removeAll() {
    var next = unsafe head.load(ordering: .acquiring)
    while let entry = unsafe next {
      if unsafe entry.pointee.isPresent.load(ordering: .acquiring) {
        let path = unsafe entry.pointee.path
        if unsafe unlink(path) != 0 { unsafe rmdir(path) }
      }
      unsafe next = entry.pointee.next
    }
  }

  // MARK: What must not be interrupted

  private static let uninterruptible = Atomic(0)
  private static let postponed = Atomic<Int32>(0)

  /// Whether a signal that should end the process has to wait, because a target is getting its name,
  /// which takes moments. Safe in a signal handler.
  public static func postpones(_ signal: Int32) -> Bool {
    guard uninterruptible.load(ordering: .acquiring) > 0 else { return false }
    postponed.store(signal, ordering: .releasing)
    return true
  }

  /// Does what would leave half a result if it were interrupted.
  ///
  /// A signal that comes meanwhile is raised again if the body fails. If it succeeds, the signal came
  /// too late: what it should have prevented is done and durable, and the exit code says that.
  static func uninterrupted<Result>(
    _ body: () throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    uninterruptible.add(1, ordering: .acquiringAndReleasing)
    do throws(CheckpointError) {
      let result = try body()
      uninterruptible.subtract(1, ordering: .acquiringAndReleasing)
      postponed.store(0, ordering: .releasing)
      return result
    } catch {
      uninterruptible.subtract(1, ordering: .acquiringAndReleasing)
      let signal = postponed.exchange(0, ordering: .acquiringAndReleasing)
      if signal != 0 { raise(signal) }
      throw error
    }
  }

  // MARK: Registering

  /// One path. Entries are never freed: a signal handler may be reading them.
  @safe struct Entry: ~Copyable {
    let path: UnsafeMutablePointer<CChar>
    let next: UnsafeMutablePointer<Entry>?
    let isPresent = Atomic(true)

    init(path: UnsafeMutablePointer<CChar>, next: UnsafeMutablePointer<Entry>?) {
      unsafe self.path = unsafe path
      unsafe self.next = unsafe next
    }
  }

  private nonisolated(unsafe) static let head = unsafe Atomic<UnsafeMutablePointer<Entry>?>(nil)

  /// A registered path; `forget` when it is gone.
  @safe struct Registration: @unchecked Sendable {
    fileprivate let entry: UnsafeMutablePointer<Entry>

    /// The path has its final name, or was removed.
    func forget() {
      unsafe entry.pointee.isPresent.store(false, ordering: .releasing)
    }
  }

  /// Registers a path, which is best done before it exists.
  static func register(_ path: FilePath) -> Registration {
    let text = unsafe path.withPlatformString { unsafe strdup($0) }
    guard let text = unsafe text else { fatalError("out of memory") }
    let entry = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
    var next = unsafe head.load(ordering: .acquiring)
    unsafe entry.initialize(to: Entry(path: text, next: next))
    while true {
      let (exchanged, original) = unsafe head.compareExchange(
        expected: next, desired: entry, ordering: .acquiringAndReleasing)
      if exchanged { return unsafe Registration(entry: entry) }
      unsafe entry.deinitialize(count: 1)
      unsafe next = unsafe original
      unsafe entry.initialize(to: Entry(path: text, next: next))
    }
  }

  private static let suffix = Array(".tfpart".utf8)

  /// A new temporary name for `target`.
  static func name(for target: FilePath) -> FilePath {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
    let random = (0..<6).map { _ in letters[Int.random(in: 0..<letters.count)] }
    return target.sibling(prefix(for: target) + random + suffix)
  }

  private static func prefix(for target: FilePath) -> [UInt8] {
    // A file system allows 255 bytes.
    Array(".".utf8) + (target.lastComponent?.bytes ?? []).prefix(200) + Array(".".utf8)
  }

  /// Whether a file, or one of the folders that it is in, has the name of a temporary.
  static func isTemporary(_ name: [UInt8]) -> Bool {
    name.split(separator: UInt8(ascii: "/")).contains { part in
      part.first == UInt8(ascii: ".") && part.count > 1 + 1 + 6 + suffix.count
        && part.reversed().starts(with: suffix.reversed())
        && part.dropLast(suffix.count + 6).last == UInt8(ascii: ".")
    }
  }

  /// Removes what dead runs to the same target have left behind.
  static func removeLeftovers(of target: FilePath) {
    for path in paths(for: target) {
      guard let descriptor = lock(path) else { continue }
      removeTree(path)
      try? descriptor.close()
    }
  }

  /// Takes over a folder that a dead run to the same target has left behind, and removes all others.
  ///
  /// - Returns: the folder and its descriptor, which holds the lock.
  static func adoptFolder(of target: FilePath) -> (path: FilePath, descriptor: FileDescriptor)? {
    var adopted: (path: FilePath, descriptor: FileDescriptor)?
    for path in paths(for: target) where path.linkStatus?.type == .directory {
      guard adopted == nil, let descriptor = lock(path) else { continue }
      adopted = (path, descriptor)
    }
    removeLeftovers(of: target)
    return adopted
  }

  /// Everything beside `target` that has the name of a temporary for it.
  private static func paths(for target: FilePath) -> [FilePath] {
    let prefix = prefix(for: target)
    guard let names = try? names(in: target.parent) else { return [] }
    return names.map(\.bytes).filter { bytes in
      bytes.count == prefix.count + 6 + suffix.count && bytes.starts(with: prefix)
        && bytes.suffix(suffix.count).elementsEqual(suffix)
    }.map { target.sibling($0) }
  }

  /// Opens and locks a file or folder, unless its writer is alive or the lock cannot be had.
  private static func lock(_ path: FilePath) -> FileDescriptor? {
    guard
      let descriptor = try? FileDescriptor.open(
        path, .readOnly, options: [.nonBlocking, .closeOnExec, .noFollow])
    else { return nil }
    if flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 { return descriptor }
    try? descriptor.close()
    return nil
  }
}

/// Removes a file, or a folder with all that is in it; links are not followed.
///
/// Nothing can be done about an error, except to try once more.
func removeTree(_ path: FilePath) {
  if !removeOnce(path) { _ = removeOnce(path) }
}

private func removeOnce(_ path: FilePath) -> Bool {
  if unsafe removed(path, unlink) { return true }
  guard path.linkStatus?.type == .directory else { return false }
  for name in (try? names(in: path)) ?? [] { _ = removeOnce(path.appending(name)) }
  return unsafe removed(path, rmdir)
}

/// Whether nothing is at a path after it was removed.
private func removed(
  _ path: FilePath, _ remove: (UnsafePointer<CChar>) -> Int32
) -> Bool {
  let result = unsafe path.withPlatformString { unsafe remove($0) }
  return result == 0 || errno == ENOENT
}
