import ArgumentParser
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Info: Verb {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Say what a checkpoint is: container, architecture, dialect, sizes, metadata.",
    usage: "tfinspect info [<options>] <source>",
    discussion: """
      A checkpoint of an unknown model is described as far as its container goes. With -v, weights are \
      read, too, and what trained ones show of conventions is said: whether gains are stored less 1, and \
      whether square matrices are transposed. Of random ones nothing can be said.

      Examples:
        tfinspect bert-base/
        tfinspect info model.npz --config config.json
        tfinspect info model.safetensors --json
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let checkpoint = try Checkpoint.open(source, options: sourceOptions.options)
    var model: Model?
    var obstacle: CheckpointError?
    do throws(CheckpointError) {
      model = try Model(checkpoint, options: sourceOptions.options)
    } catch {
      obstacle = error
    }
    if let model { common.explain(model) } else { common.explain(checkpoint) }
    let conventions =
      common.verbose ? try model.map { try Conventions($0.graph) }?.findings ?? [] : []
    let facts = Facts(checkpoint, model, obstacle, sourceOptions.options.recognition)
    if common.json {
      let measured: [JSONValue] = conventions.map {
        [
          "place": .string($0.place), "text": .string($0.text),
          "contradicts": .bool($0.isContradiction),
        ]
      }
      let more =
        measured.isEmpty ? [] : [JSONValue.Member("conventions", .array(measured))]
      standardOutput(JSONValue.object((facts.json.members ?? []) + more).text(pretty: true))
    } else if common.quiet {
      standardOutput(model?.graph.architecture.head ?? checkpoint.format.name)
    } else {
      var table = Table([("", .left), ("", .left)])
      let rows =
        facts.rows(isWhole: common.verbose)
        + conventions.map {
          ("measured", "\($0.isContradiction ? "contradiction: " : "")\($0.place): \($0.text)")
        }
      for row in rows { table.add([row.0, row.1]) }
      let column = (rows.map(\.0.count).max() ?? 0) + 2
      standardOutput(
        lines: table.lines(headings: false, width: nil).flatMap {
          wrapped($0, width: outputWidth, hanging: column)
        })
    }
    return .success
  }
}
