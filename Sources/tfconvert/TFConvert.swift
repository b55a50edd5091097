import ArgumentParser
import CommandSupport

/// Runs `tfconvert`, and exits.
///
/// - Parameter skipped: how many words of the command line stand before its own.
public func runTFConvert(skipping skipped: Int = 0) -> Never {
  returnLargeBlocks()
  runCommand(TFConvert.self, skipping: skipped)
}

struct TFConvert: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tfconvert",
    abstract: "Convert a Transformer checkpoint to another container or dialect.",
    usage: """
      tfconvert SRC DST [options]
      tfconvert VERB ...    (options: tfconvert VERB --help)
      """,
    discussion: """
      SRC is a file, a shard index or a folder, or the address of one (https://…, \
      hf://OWNER/NAME). DST's extension chooses the container; without \
      one, or with a trailing slash, it is a folder. Into a folder, and into a TFZ file, which is \
      compressed without loss, all that lies in SRC and has no weights goes along byte for byte, \
      hidden files and folders too; what is left out is listed. Names, layout, values and dtypes stay as they are, unless --dialect or --dtype say \
      otherwise. The conversion needs a fixed amount of memory, however large the checkpoint, and \
      the target appears whole or not at all.

      Examples:
        tfconvert gpt2/ gpt2.npz --dialect openai-gpt2 --verify
        tfconvert pytorch_model.bin new.safetensors
        tfconvert llama/ new.gguf --dialect gguf
        tfconvert llama.gguf new/ --dialect huggingface --dequantize
        tfconvert bert-base/ bert.tfz
        tfconvert model.safetensors sharded/ --max-shard-size 2GB
        tfconvert hf://google-bert/bert-base-uncased bert.tfz

      \(ExitStatus.help)
      """,
    version: toolVersion,
    subcommands: [
      Convert.self, PlanVerb.self, PartVerb.self, CommitVerb.self, List.self,
      CompressionBench.self,
    ],
    defaultSubcommand: Convert.self)
}
