import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Ls: Verb {
  static let configuration = CommandConfiguration(
    abstract: "List the tensors, one a line: name, dtype, shape, bytes.",
    discussion: """
      Examples:
        tfinspect ls model.safetensors
        tfinspect ls bert-base/ --sort size
        tfinspect ls bert-base/ --include 'encoder.layer.1?.*' --exclude '*.bias'
      """)

  enum Order: String, ExpressibleByArgument, CaseIterable {
    case name
    case size
    case offset
  }

  @Argument(help: "The checkpoint: a file, a shard index, or a folder.")
  var source: FilePath

  @Option(help: "Order by name (layers by number), size (largest first) or offset in the file.")
  var sort = Order.offset

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let checkpoint = try Checkpoint.open(source, options: sourceOptions.options)
      .choosing(selection.selection)
    common.explain(checkpoint)
    let tensors = sorted(checkpoint.tensors.tensors)
    if common.json {
      standardOutput(json(tensors).text(pretty: true))
    } else if common.quiet {
      standardOutput(tensors.map { escaped($0.name.text) + "\n" }.joined(), terminator: "")
    } else {
      var table = Table([
        ("NAME", .left), ("DTYPE", .left), ("SHAPE", .left), ("BYTES", .right),
      ])
      for tensor in tensors {
        table.add([
          escaped(tensor.name.text), tensor.dtype.name, describe(shape: tensor.shape),
          "\(tensor.byteCount)",
        ])
      }
      let lines = table.lines(headings: outputIsTerminal)
      standardOutput(lines.map { $0 + "\n" }.joined(), terminator: "")
    }
    return .success
  }

  private func sorted(_ tensors: [Tensor]) -> [Tensor] {
    switch sort {
    case .offset: tensors
    case .size: tensors.sorted { $0.byteCount > $1.byteCount }
    case .name: tensors.sorted { isNaturallyBefore($0.name.text, $1.name.text) }
    }
  }

  private func json(_ tensors: [Tensor]) -> JSONValue {
    let rows: [JSONValue] = tensors.map {
      [
        "name": .string($0.name.text), "dtype": .string($0.dtype.name),
        "shape": .array($0.shape.map { .number($0) }), "bytes": .number($0.byteCount),
      ]
    }
    return ["schema": "tfinspect.ls/1", "tensors": .array(rows)]
  }
}
