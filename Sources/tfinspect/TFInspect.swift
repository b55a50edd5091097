import ArgumentParser
import CommandSupport

@main
enum Main {
  static func main() {
    returnLargeBlocks()
    runCommand(TFInspect.self)
  }
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
      ID.self, Report.self, Tokens.self,
    ],
    defaultSubcommand: Info.self)
}
