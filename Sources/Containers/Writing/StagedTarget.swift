public import SystemPackage
public import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A folder that several runs fill, which know nothing of each other, and that then gets the name of the target.
///
/// It stands beside the target: `TARGET.parts-ID` has `weights`, which becomes the target; `receipts`, what is said of each
/// file in it; `work`, where files stand until they are whole, and `identity`, which folder a commit gives the name.
/// Whatever is in `weights` is whole and durable, so that runs may end at any moment, and two may write the same file
/// at once: each gives its own the name, and both have the same bytes.
public struct StagedTarget: Sendable {
  /// The folder to be.
  public let target: FilePath
  /// Where all of it stands meanwhile.
  public let folder: FilePath

  /// - Parameter id: what tells this target from another of the same name: the plan's digest.
  public init(_ target: FilePath, id: String) {
    self.target = target
    folder = target.appendingToName(".parts-\(id.prefix(12))")
  }

  private var weights: FilePath { folder.appending("weights") }
  private var receipts: FilePath { folder.appending("receipts") }
  private var work: FilePath { folder.appending("work") }
  /// Not in the folder itself, which is locked meanwhile.
  private var identity: FilePath { work.appending("identity") }

  /// Where the receipt of a file of the target is.
  public func receipt(of name: String) -> FilePath {
    receipts.appending(name.replacing("/", with: "%2F") + ".json")
  }

  /// Where a file of the target is before it is committed.
  public func place(of name: String) -> FilePath { weights.descendant(Array(name.utf8)) }

  /// Where it is when it is committed.
  public func finalPlace(of name: String) -> FilePath { target.descendant(Array(name.utf8)) }

  /// The names of the files of which there are receipts.
  ///
  /// - Throws: `CheckpointError` if that cannot be found out.
  public func receiptNames() throws(CheckpointError) -> [String] {
    try Containers.receiptNames(in: receipts).map {
      String($0.dropLast(5)).replacing("%2F", with: "/")
    }
  }

  /// Whether the folder is there.
  public var isThere: Bool { folder.linkStatus?.type == .directory }

  /// Makes the folder, if nobody has.
  ///
  /// - Throws: `CheckpointError` if it cannot be made.
  public func make() throws(CheckpointError) {
    for path in [folder, weights, receipts, work] { try makeFolder(path) }
    try synchronize(folder, for: target)
    try synchronize(target.parent, for: target)
  }

  /// Writes a file of weights, and lets it have its name when it is whole and durable.
  ///
  /// - Throws: `CheckpointError`; then it does not have it.
  public func write(
    _ file: WritePlan.File, named name: String, progress: (Int) -> Void
  ) throws(CheckpointError) {
    let place = place(of: name)
    let parents = place.parent.components.dropFirst(weights.components.count)
    var inner = weights
    for component in parents {
      inner.append(component)
      try makeFolder(inner)
    }
    let draft = work.appending(name.replacing("/", with: "%2F"))
    let lock = try TargetFolder(of: draft)
    let output = try lock.whileLocked { () throws(CheckpointError) in
      TemporaryFiles.removeLeftovers(of: draft)
      return try OutputFile(TemporaryFiles.name(for: draft), for: place)
    }
    try file.write(to: output, progress: progress)
    try output.synchronize()
    // Closing gives up the lock by which others see that it is no leftover, so nobody may look until it has its name.
    try lock.whileLocked { () throws(CheckpointError) in
      try output.close()
      try rename(output.path, to: place, replacing: true)
    }
    output.keep()
    try synchronize(place.parent, for: place)
  }

  /// Gives the folder the name of the target, with all other files of the plan in it.
  ///
  /// - Parameters:
  ///   - plan: what is written; the weights are there.
  ///   - destination: the target as the plan has it.
  ///   - overwrite: whether a target that is there is replaced.
  /// - Throws: `CheckpointError`; then the target is as it was.
  public func commit(
    _ plan: WritePlan, as destination: FilePath, overwrite: Bool,
    progress: (Int) -> Void = { _ in }
  ) throws(CheckpointError) {
    let parent = try TargetFolder(of: destination)
    let output = try OutputFolder(adopting: weights, for: destination)
    for file in plan.files {
      if file.isWeights {
        try output.take(file)
      } else {
        try output.write(file, progress: progress)
      }
    }
    try output.finish()
    guard let status = try weights.present() else {
      throw CheckpointError(.changedWhileRead, file: displayed(weights))
    }
    try SmallFile(identity, replacing: .anything).write(identityText(status))
    var change = FolderCommit(
      output, isReplacing: overwrite, removing: Set(plan.removed.map(\.bytes)))
    try parent.commit(&change)
  }

  /// Whether the target is the folder that a commit has given the name; it may have ended before it could say so.
  ///
  /// - Throws: `CheckpointError` if that cannot be found out.
  public func hasItsName() throws(CheckpointError) -> Bool {
    guard let status = try target.present(), try identity.present() != nil else { return false }
    return try SmallFile.read(identity, limit: 1 << 10) == Array(identityText(status).utf8)
  }

  private func identityText(_ status: Stat) -> String {
    "\(status.deviceID.rawValue) \(status.inode.rawValue)\n"
  }

  /// Removes what is left of it when the target has its name.
  public func remove() { removeTree(folder) }

  /// Does what only one run may do at a time; waits for its turn. Where the file system has no locks, nobody waits.
  ///
  /// - Throws: what the body throws.
  public func whileLocked<Result>(
    _ body: () throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    guard isThere else { return try body() }
    // The folder that the inner one is in is locked, since the target gets its name from inside.
    return try TargetFolder(of: folder.appending("x")).whileLocked(body)
  }
}

/// The names of the receipts in a folder, none if it is not there.
///
/// - Throws: `CheckpointError` if that cannot be found out.
public func receiptNames(in folder: FilePath) throws(CheckpointError) -> [String] {
  guard try folder.present() != nil else { return [] }
  return try names(in: folder).map(\.string).filter {
    $0.hasSuffix(".json") && !$0.hasPrefix(".")
  }
}

/// Makes a folder, if nobody has.
///
/// - Throws: `CheckpointError` if it cannot be made.
public func makeFolder(_ path: FilePath) throws(CheckpointError) {
  let result = unsafe path.withPlatformString { unsafe mkdir($0, 0o777) }
  guard result == 0 || errno == EEXIST else {
    throw CheckpointError(.system(errno, "cannot create"), file: displayed(path))
  }
}
