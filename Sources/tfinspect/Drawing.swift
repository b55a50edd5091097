import CommandSupport
import Models
import TensorCore
import TransformerKit

/// A tree of modules or of names, as it is drawn.
struct Drawing {
  private let name: String
  private let kind: String
  private let shape: String
  private let count: String
  private let children: [Drawing]
  /// What stands in the place of kind, shape and count.
  private let remark: String?

  private init(
    _ name: String, _ kind: String, _ shape: String, _ count: String, _ children: [Drawing],
    remark: String? = nil
  ) {
    self.remark = remark
    self.name = name
    self.kind = kind
    self.shape = shape
    self.count = count
    self.children = children
  }

  /// The lines, under headings of the four columns; where these are wider than the terminal, of fewer.
  func lines(_ headings: [String], width: Int? = outputWidth) -> [String] {
    let all = table(headings, columns: [1, 2, 3])
    guard let width, all.width() > width else { return all.lines(width: nil) }
    let some = table(headings, columns: [2, 3])
    return (some.width() > width ? table(headings, columns: [3]) : some).lines(width: nil)
  }

  private func table(_ headings: [String], columns: [Int]) -> Table {
    let alignments: [Table.Alignment] = [.left, .left, .left, .right]
    var table = Table(([0] + columns).map { (headings[$0], alignments[$0]) })
    add(to: &table, columns, prefix: "", inner: "")
    return table
  }

  private func add(to table: inout Table, _ columns: [Int], prefix: String, inner: String) {
    if let remark, columns.count > 1 {
      table.add(prefix + name, remark: remark)
    } else {
      table.add([prefix + name] + columns.map { [name, kind, shape, count][$0] })
    }
    for (index, child) in children.enumerated() {
      let isLast = index + 1 == children.count
      child.add(
        to: &table, columns, prefix: inner + (isLast ? "└─ " : "├─ "),
        inner: inner + (isLast ? "   " : "│  "))
    }
  }

  // MARK: Modules

  /// The modules of a model.
  ///
  /// - Parameter all: whether blocks that are alike are drawn each.
  init(_ graph: WeightGraph, all: Bool) {
    self.init(graph.root, name: graph.root.name, times: 1, graph, all: all)
  }

  private init(
    _ node: ModuleNode, name: String, times: Int, _ graph: WeightGraph, all: Bool
  ) {
    let slots = node.allSlots
    let count = slots.reduce(0) { $0 + (graph.ties[$1.path] == nil ? $1.parameterCount : 0) }
    var kind = node.kind.rawValue
    if times > 1 { kind += " × \(times)" }
    if !slots.isEmpty && slots.allSatisfy(\.isUnused) { kind += ", not used by the head" }
    let groups = all ? node.modules.map { [$0] } : runsOfAlike(node.modules)
    let modules = groups.map { group in
      let name =
        group.count == 1 ? group[0].name : "\(group[0].name)…\(group[group.count - 1].name)"
      return Drawing(group[0], name: name, times: group.count, graph, all: all)
    }
    self.init(
      name, kind, "", describe(count: count), node.slots.map { Drawing($0, graph) } + modules)
  }

  private init(_ slot: WeightSlot, _ graph: WeightGraph) {
    let tie = graph.ties[slot.path]
    let dtype = graph.tensor(at: slot.path).map { "\($0.dtype) " } ?? ""
    self.init(
      slot.path.split(separator: ".").last.map(String.init) ?? "", slot.role.rawValue,
      dtype + describe(shape: slot.shape), tie == nil ? describe(count: slot.parameterCount) : "",
      [], remark: tie.map { "tied to \($0)" })
  }

  // MARK: Names

  /// The parts of tensors' names.
  init(_ tree: NameTree, name: String) {
    self.init(
      escaped(name), tree.tensor?.dtype.name ?? (tree.count > 1 ? "× \(tree.count)" : ""),
      tree.tensor.map { describe(shape: $0.shape) } ?? "", describe(count: tree.oneElementCount),
      tree.children.map { Drawing($0, name: $0.name) })
  }
}
