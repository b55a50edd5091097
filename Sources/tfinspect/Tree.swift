import ArgumentParser
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Tree: Verb {
  static let configuration = CommandConfiguration(
    commandName: "tree",
    abstract: "Draw the weight graph: modules, roles, shapes, parameters, ties.",
    usage: "tfinspect tree [<options>] <source>",
    discussion: """
      Blocks that are alike are drawn once, as 0…11. A tied weight names what it is tied to. Of a \
      model that is not known, the parts of the tensors' names are drawn. A terminal that is too narrow \
      for all columns gets fewer.

      Examples:
        tfinspect tree bert-base/
        tfinspect tree bert-base/ --all
        tfinspect tree bert-base/ --json
      """)

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Flag(help: "Draw every block.")
  var all = false

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let checkpoint = try Checkpoint.open(source, options: sourceOptions.options)
    let model: Model
    do throws(CheckpointError) {
      model = try Model(checkpoint, options: sourceOptions.options)
    } catch {
      // What was asked for must be had.
      guard error.category == .unsupported || error.problem.isMissing,
        sourceOptions.asksForNothing
      else { throw error }
      common.explain(checkpoint)
      if common.verbose { standardError("no known architecture: \(escaped(error.problem.text))") }
      draw(NameTree(checkpoint.tensors.tensors, collapses: !all && !common.json))
      return .success
    }
    common.explain(model)
    draw(model.graph)
    return .success
  }

  private func draw(_ graph: WeightGraph) {
    if common.json {
      standardOutput(json(graph).text(pretty: true))
    } else if common.quiet {
      standardOutput(lines: graph.slots.map(\.path))
    } else {
      let drawing = Drawing(graph, all: all)
      standardOutput(lines: drawing.lines(["MODULE", "KIND", "SHAPE", "PARAMETERS"]))
    }
  }

  private func draw(_ tree: NameTree) {
    if common.json {
      let tensors = tree.children.map { $0.json }
      let report: JSONValue = [
        "schema": "tfinspect.tree/1", "architecture": .null,
        "parameters": .number(tree.elementCount), "names": .array(tensors),
      ]
      standardOutput(report.text(pretty: true))
    } else {
      let drawing = Drawing(tree, name: source.lastComponent?.string ?? displayed(source))
      standardOutput(lines: drawing.lines(["NAME", "DTYPE", "SHAPE", "ELEMENTS"]))
    }
  }

  private func json(_ graph: WeightGraph) -> JSONValue {
    let weights: [JSONValue] = graph.slots.map { slot in
      let tensor = graph.tensor(at: slot.path)
      return [
        "path": .string(slot.path), "role": .string(slot.role.rawValue),
        "shape": slot.shape.json,
        "parameters": .number(slot.parameterCount),
        "tied_to": graph.ties[slot.path].map { .string($0) } ?? .null,
        "unused": .bool(slot.isUnused),
        "tensor": tensor.map { .string($0.name.text) } ?? .null,
        "dtype": tensor.map { .string($0.dtype.name) } ?? .null,
      ]
    }
    return [
      "schema": "tfinspect.tree/1", "architecture": .string(type(of: graph.architecture).name),
      "head": .string(graph.architecture.head), "dialect": .string(graph.dialect.name),
      "parameters": .number(graph.parameterCount), "weights": .array(weights),
    ]
  }
}

extension NameTree {
  fileprivate var json: JSONValue {
    [
      "name": .string(name), "elements": .number(elementCount),
      "tensor": tensor.map { .string($0.name.text) } ?? .null,
      "dtype": tensor.map { .string($0.dtype.name) } ?? .null,
      "shape": tensor.map(\.shape.json) ?? .null,
      "children": .array(children.map(\.json)),
    ]
  }
}
