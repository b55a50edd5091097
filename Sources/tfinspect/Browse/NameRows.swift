import CommandSupport
import TensorCore

/// Names as a tree that is opened and closed row by row.
struct NameRows {
  /// A part of names, or a whole one.
  struct Row: Equatable {
    /// How many parts stand before it.
    let depth: Int
    /// The part of the name; while something is looked for, the whole.
    let text: String
    /// Whether something is under it.
    let isFolder: Bool
    /// Whether what is under it is shown.
    let isOpen: Bool
    /// The place of the name in the list, if there is one.
    let item: Int?
    /// Which node of the tree it is.
    fileprivate let node: Int
  }

  private struct Node {
    let text: String
    let depth: Int
    let parent: Int?
    var item: Int?
    var children: [Int] = []
    /// How many names there are at and under it.
    var count = 0
    var isOpen = false
  }

  private let names: [String]
  private var nodes = [Node(text: "", depth: -1, parent: nil)]
  /// What is looked for; the tree is shown while that is empty.
  var search = "" { didSet { if search != oldValue { arrange() } } }
  /// What is shown, from the top.
  private(set) var rows: [Row] = []

  /// The tree of names whose parts stand between dots or slashes, neighbours by their numbers.
  init(_ names: [String]) {
    self.names = names
    var places: [Int: [Substring: Int]] = [:]
    for (item, name) in names.enumerated() {
      var node = 0
      nodes[node].count += 1
      for part in name.split(whereSeparator: { $0 == "." || $0 == "/" }) {
        let next = places[node]?[part] ?? nodes.count
        if next == nodes.count {
          nodes.append(Node(text: String(part), depth: nodes[node].depth + 1, parent: node))
          nodes[node].children.append(next)
          places[node, default: [:]][part] = next
        }
        node = next
        nodes[node].count += 1
      }
      nodes[node].item = nodes[node].item ?? item
    }
    for node in nodes.indices {
      nodes[node].children = nodes[node].children.sorted {
        isNaturallyBefore(nodes[$0].text, nodes[$1].text)
      }
    }
    // A way without a fork is gone at once.
    var node = 0
    while nodes[node].children.count == 1, let only = nodes[node].children.first {
      nodes[only].isOpen = true
      node = only
    }
    arrange()
  }

  /// How many names a row stands for.
  func count(of row: Row) -> Int { search.isEmpty ? nodes[row.node].count : 1 }

  /// The places of all names at and under a row.
  func items(of row: Row) -> [Int] {
    guard search.isEmpty else { return row.item.map { [$0] } ?? [] }
    var (found, open) = ([Int](), [row.node])
    while let node = open.popLast() {
      if let item = nodes[node].item { found.append(item) }
      open += nodes[node].children
    }
    return found
  }

  /// The places of all names, in the order of the tree.
  var allItems: [Int] {
    var (found, open) = ([Int](), [0])
    while let node = open.popLast() {
      if let item = nodes[node].item { found.append(item) }
      open += nodes[node].children.reversed()
    }
    return found
  }

  /// Shows what is under a row, or hides it.
  mutating func set(_ row: Int, isOpen: Bool) {
    guard rows.indices.contains(row), rows[row].isFolder, search.isEmpty else { return }
    nodes[rows[row].node].isOpen = isOpen
    arrange()
  }

  /// The row under which one is.
  func parent(of row: Int) -> Int? {
    guard rows.indices.contains(row), search.isEmpty else { return nil }
    return rows[..<row].lastIndex { $0.depth < rows[row].depth }
  }

  /// Opens all that a name is under, and says in which row it is then.
  mutating func reveal(_ item: Int) -> Int? {
    guard var node = nodes.firstIndex(where: { $0.item == item }) else { return nil }
    while let parent = nodes[node].parent {
      nodes[parent].isOpen = true
      node = parent
    }
    arrange()
    return rows.firstIndex { $0.item == item }
  }

  private mutating func arrange() {
    rows = []
    guard search.isEmpty else {
      let wanted = search.lowercased()
      let glob = search.contains("*") ? Glob(search) : nil
      for item in allItems
      where glob?.matches(TensorName(names[item])) ?? names[item].lowercased().contains(wanted) {
        rows.append(
          Row(depth: 0, text: names[item], isFolder: false, isOpen: false, item: item, node: 0))
      }
      return
    }
    var open = Array(nodes[0].children.reversed())
    while let number = open.popLast() {
      let node = nodes[number]
      rows.append(
        Row(
          depth: node.depth, text: node.text, isFolder: !node.children.isEmpty,
          isOpen: node.isOpen, item: node.item, node: number))
      if node.isOpen { open += node.children.reversed() }
    }
  }
}
