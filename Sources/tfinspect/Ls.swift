import ArgumentParser
import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

struct Ls: Verb {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List the tensors, one a line: name, dtype, shape, bytes.",
    discussion: """
      Examples:
        tfinspect ls model.safetensors
        tfinspect ls bert-base/ --sort size
        tfinspect ls bert-base/ --include '*.layer.1?.*' --exclude '*.bias'
      """)

  enum Order: String, ExpressibleByArgument, CaseIterable {
    case name
    case size
    case offset
  }

  @Argument(help: "The checkpoint: a file, a shard index, a folder, or an address.")
  var source: FilePath

  @Option(
    help: ArgumentHelp(
      "Order by name (layers by number), size (largest first) or offset in the file.",
      valueName: "order"))
  var sort = Order.offset

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let checkpoint = try Checkpoint.open(source, options: sourceOptions.options)
      .choosing(selection.selection, options: sourceOptions.options)
    common.explain(checkpoint)
    let tensors = sorted(checkpoint.tensors.tensors)
    if common.json {
      standardOutput("tfinspect.ls/1", listing: "tensors", tensors.lazy.map(row))
    } else if common.quiet {
      standardOutput(lines: tensors.lazy.map { escaped($0.name.text) })
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
      standardOutput(lines: table.lines(headings: outputIsTerminal))
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

  private func row(_ tensor: Tensor) -> JSONValue {
    [
      "name": .string(tensor.name.text), "dtype": .string(tensor.dtype.name),
      "shape": .array(tensor.shape.map { .number($0) }), "bytes": .number(tensor.byteCount),
    ]
  }
}
