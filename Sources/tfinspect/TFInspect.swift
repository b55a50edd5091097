import ArgumentParser
import CommandSupport

/// Runs `tfinspect`, and exits.
///
/// - Parameter skipped: how many words of the command line stand before its own.
public func runTFInspect(skipping skipped: Int = 0) -> Never {
  returnLargeBlocks()
  runCommand(TFInspect.self, skipping: skipped)
}

struct TFInspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tfinspect",
    abstract: "Show what is in a Transformer checkpoint.",
    usage: """
      tfinspect SRC [options]      (what tfinspect info does)
      tfinspect VERB SRC ...    (options: tfinspect VERB --help)
      """,
    discussion: """
      SRC is a file, a shard index or a folder, or the address of one (https://…, \
      hf://OWNER/NAME). Headers are read, weights only where values are \
      asked for.

      Examples:
        tfinspect bert-base/
        tfinspect tree bert-base/
        tfinspect show bert.npz pooler.dense.weight --slice 0:2,:
        tfinspect ls hf://google-bert/bert-base-uncased

      \(ExitStatus.help)
      """,
    version: toolVersion,
    subcommands: [
      Info.self, Ls.self, Tree.self, Show.self, Stats.self, Diff.self, Check.self, Hash.self,
      ID.self, Report.self, Tokens.self, Map.self, Browse.self,
    ],
    defaultSubcommand: Info.self)
}
