import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Files that get their names together: a checkpoint of one file, and the config beside it.
///
/// One file changes places with the old one, in a single step. With two that is not possible: the old
/// ones are put aside first, the weights before all others, so that whoever looks in between sees no
/// checkpoint, and never new weights with an old config.
struct FileCommit: NameChange {
  /// What was written, and the names that it gets; the weights first.
  let outputs: [(file: OutputFile, target: FilePath)]
  /// Whether files of these names may be replaced.
  let isReplacing: Bool
  /// What was planned, if a config beside the file is part of that.
  let plan: WritePlan?
  private var moves: [Move] = []
  private var old: [FilePath] = []

  /// A file that changes its name.
  private struct Move {
    let from: FilePath
    let to: FilePath
    let how: RenameFlag
    /// What tells the file from others.
    let stamp: FileStamp?

    init(from: FilePath, to: FilePath, how: RenameFlag) {
      self.from = from
      self.to = to
      self.how = how
      stamp = from.linkStatus.map { FileStamp($0) }
    }

    /// Renames back, if it was done, whatever was said about it: over a network, a call may succeed and
    /// report an error all the same.
    func undo() {
      guard let stamp, to.linkStatus.map({ FileStamp($0) }) == stamp else { return }
      _ = how.rename(to, from)
    }
  }

  init(
    _ outputs: [(file: OutputFile, target: FilePath)], isReplacing: Bool, of plan: WritePlan? = nil
  ) {
    self.outputs = outputs
    self.isReplacing = isReplacing
    self.plan = plan
  }

  mutating func make() throws(CheckpointError) {
    try plan?.checkConfig()
    for (output, _) in outputs { try output.close() }
    if isReplacing, outputs.count == 1 {
      return try replace(outputs[0].target, by: outputs[0].file.path)
    }
    if isReplacing, outputs.count > 1 {
      for (_, target) in outputs where target.linkStatus != nil {
        let aside = TemporaryFiles.name(for: target)
        try move(target, to: aside, replacing: false)
        old.append(aside)
      }
    }
    for (output, target) in outputs.reversed() {
      try move(output.path, to: target, replacing: isReplacing)
    }
  }

  mutating func undo() {
    for move in moves.reversed() { move.undo() }
  }

  func finish() {
    for (output, _) in outputs { output.keep() }
    for path in old { removeTree(path) }
  }

  /// Lets a file change places with the old one. Where the file system cannot do that, or there is no
  /// old one, it is renamed, and if the old one is gone there is no way back.
  private mutating func replace(
    _ target: FilePath, by path: FilePath
  ) throws(CheckpointError) {
    let type = target.linkStatus?.type
    guard type == .regular || type == .symbolicLink else {
      return try move(path, to: target, replacing: false)
    }
    moves.append(Move(from: path, to: target, how: .exchange))
    if RenameFlag.exchange.rename(path, target) == 0 {
      old.append(path)
    } else if isRenamingUnsupported(errno) {
      moves.removeLast()
      try rename(path, to: target, replacing: true)
    } else {
      throw CheckpointError(.system(errno, "cannot rename"), file: displayed(target))
    }
  }

  private mutating func move(
    _ path: FilePath, to target: FilePath, replacing: Bool
  ) throws(CheckpointError) {
    moves.append(Move(from: path, to: target, how: .replace))
    try rename(path, to: target, replacing: replacing)
  }
}
