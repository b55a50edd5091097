import ArgumentParser
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct ID: Verb {
  static let configuration = CommandConfiguration(
    commandName: "id",
    abstract: "Print one digest of the model, whatever its container, dialect or sharding.",
    usage: "tfinspect id [<options>] <source>",
    discussion: """
      Equal digests mean: the same weights, bit for bit, and the same mathematics. \
      docs/model-id.md says what is digested; -v prints it, line by line, and the digest \
      after it.

      Examples:
        tfinspect id bert-base/
        tfinspect id bert.npz -q
        tfinspect id bert-base/ --json
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let model = try Model(source, options: sourceOptions.options)
    common.explain(model)
    try memory.keep(readingWeightsOf: model.checkpoint, options: sourceOptions.options)
    let id = try ModelID(model.graph)
    if common.json {
      let report: JSONValue = [
        "schema": "tfinspect.id/1", "id": .string(id.digest),
        "head": .string(model.graph.architecture.head),
        "lines": .array(id.lines.map { .string(String($0.dropLast())) }),
      ]
      standardOutput(report.text(pretty: true))
    } else if common.quiet {
      standardOutput(id.digest)
    } else if common.verbose {
      standardOutput(id.lines.joined() + "\(id.digest)  \(escaped(displayed(source)))")
    } else {
      standardOutput("\(id.digest)  \(escaped(displayed(source)))")
    }
    return .success
  }
}
