import SystemPackage
import TensorCore

/// Files that get their names together: a checkpoint of one file, and the config beside it.
///
/// One rename is a single step, two are not. So where files are replaced, the old ones are put
/// aside first, the weights before all others: whoever looks in between sees no checkpoint, and
/// never new weights with an old config. An error puts everything back.
struct FileCommit {
  /// What was written, and the names that it gets; the weights first.
  let outputs: [(file: OutputFile, target: FilePath)]
  /// Whether files of these names may be replaced.
  let isReplacing: Bool
  private var moves: [(from: FilePath, to: FilePath)] = []

  init(_ outputs: [(file: OutputFile, target: FilePath)], isReplacing: Bool) {
    self.outputs = outputs
    self.isReplacing = isReplacing
  }

  /// Gives the names.
  ///
  /// - Throws: `CheckpointError`; then every name stands for what it stood for before.
  mutating func run() throws(CheckpointError) {
    for (output, _) in outputs { try output.close() }
    var old: [FilePath] = []
    do throws(CheckpointError) {
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
    } catch {
      for (from, to) in moves.reversed() { _ = RenameFlag.replace.rename(to, from) }
      throw error
    }
    for (output, _) in outputs { output.keep() }
    for path in old { removeTree(path) }
  }

  private mutating func move(
    _ path: FilePath, to target: FilePath, replacing: Bool
  ) throws(CheckpointError) {
    try rename(path, to: target, replacing: replacing)
    moves.append((path, target))
  }
}
