import ArgumentParser
import CommandSupport
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Tree: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Draw the weight graph: modules, roles, shapes, parameters, ties.",
    discussion: """
      Blocks that are alike are drawn once, as 0…11. A tied weight names what it is tied to.

      Examples:
        tfinspect tree bert-base/
        tfinspect tree bert-base/ --all
        tfinspect tree bert-base/ --json
      """)

  @Argument(help: "The checkpoint: a file, a shard index, or a folder.")
  var source: FilePath

  @Flag(help: "Draw every block.")
  var all = false

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var common: CommonOptions

  func perform() throws -> ExitStatus {
    let model = try Model(source, options: sourceOptions.options)
    common.explain(model)
    let graph = model.graph
    if common.json {
      standardOutput(json(graph).text(pretty: true))
    } else if common.quiet {
      standardOutput(graph.slots.map { $0.path + "\n" }.joined(), terminator: "")
    } else {
      var table = Table([
        ("MODULE", .left), ("KIND", .left), ("SHAPE", .left), ("PARAMETERS", .right),
      ])
      add(graph.root, name: graph.root.name, graph, margin: "", branch: "", to: &table)
      for line in table.lines() { standardOutput(line) }
    }
    return .success
  }

  // MARK: Drawing

  private func add(
    _ node: ModuleNode, name: String, _ graph: WeightGraph, margin: String, branch: String,
    to table: inout Table
  ) {
    let slots = node.allSlots
    let count = slots.reduce(0) { $0 + (graph.ties[$1.path] == nil ? $1.parameterCount : 0) }
    let note = !slots.isEmpty && slots.allSatisfy(\.isUnused) ? ", not used by the head" : ""
    table.add([
      margin + branch + name, node.kind.rawValue + note, "", describe(count: count),
    ])
    let inner = margin + (branch.isEmpty ? "" : branch == "├─ " ? "│  " : "   ")
    let groups = all ? node.modules.map { [$0] } : runs(of: node.modules)
    let total = node.slots.count + groups.count
    for (index, slot) in node.slots.enumerated() {
      let mark = index + 1 == total ? "└─ " : "├─ "
      add(slot, graph, prefix: inner + mark, to: &table)
    }
    for (index, group) in groups.enumerated() {
      let mark = node.slots.count + index + 1 == total ? "└─ " : "├─ "
      let name =
        group.count == 1 ? group[0].name : "\(group[0].name)…\(group[group.count - 1].name)"
      add(group[0], name: name, graph, margin: inner, branch: mark, to: &table)
    }
  }

  private func add(
    _ slot: WeightSlot, _ graph: WeightGraph, prefix: String, to table: inout Table
  ) {
    let name = slot.path.split(separator: ".").last ?? ""
    let tie = graph.ties[slot.path]
    let kind = tie.map { "tied to \($0)" } ?? slot.role.rawValue
    let dtype = graph.tensor(at: slot.path).map { "\($0.dtype) " } ?? ""
    table.add([
      prefix + name, kind, dtype + describe(shape: slot.shape),
      tie == nil ? describe(count: slot.parameterCount) : "",
    ])
  }

  /// Groups of modules that follow each other and look alike.
  private func runs(of modules: [ModuleNode]) -> [[ModuleNode]] {
    var groups: [[ModuleNode]] = []
    for module in modules {
      if let last = groups.last?.last, module.kind == .block, isAlike(last, module) {
        groups[groups.count - 1].append(module)
      } else {
        groups.append([module])
      }
    }
    return groups
  }

  private func isAlike(_ a: ModuleNode, _ b: ModuleNode) -> Bool {
    a.kind == b.kind && a.modules.count == b.modules.count && a.slots.count == b.slots.count
      && zip(a.slots, b.slots).allSatisfy { $0.shape == $1.shape && $0.role == $1.role }
      && zip(a.modules, b.modules).allSatisfy { $0.name == $1.name && isAlike($0, $1) }
  }

  // MARK: JSON

  private func json(_ graph: WeightGraph) -> JSONValue {
    let weights: [JSONValue] = graph.slots.map { slot in
      let tensor = graph.tensor(at: slot.path)
      return [
        "path": .string(slot.path), "role": .string(slot.role.rawValue),
        "shape": .array(slot.shape.map { .number($0) }),
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
