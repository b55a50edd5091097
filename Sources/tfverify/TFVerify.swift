import ArgumentParser
import CommandSupport

/// Runs `tfverify`, and exits.
///
/// - Parameter skipped: how many words of the command line stand before its own.
public func runTFVerify(skipping skipped: Int = 0) -> Never {
  runCommand(TFVerify.self, skipping: skipped)
}

struct TFVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tfverify",
    abstract: "Run a reference forward pass, and prove that checkpoints compute the same.",
    usage: """
      tfverify A B [options]
      tfverify VERB ...    (options: tfverify VERB --help)
      """,
    discussion: """
      Inputs and outputs are arrays of ids and numbers in npz files, under the names that Hugging \
      Face gives them; `tfverify run` takes texts, too.

      Examples:
        tfverify bert-base/ bert.npz
        tfverify golden bert-base/ golden.npz
        tfverify check bert.intoto.json bert-base/ bert.npz
        tfverify run bert-base/ --inputs inputs.npz -o outputs.npz

      \(ExitStatus.help)
      """,
    version: toolVersion,
    subcommands: [
      Pair.self, GoldenVerb.self, CheckVerb.self, Run.self, ForwardBench.self, PlanVerb.self,
      PartVerb.self,
      CommitVerb.self,
    ],
    defaultSubcommand: Pair.self)
}
