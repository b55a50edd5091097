import CommandSupport
import TensorCore
import TransformerKit

/// Where the parameters are: a tile for each tensor, as large as it has elements.
struct TreemapSection {
  let report: ModelReport
  let isOfTwo: Bool

  var section: Section? {
    let groups = TensorGroup.all(of: report)
    let total = groups.reduce(0) { $0 + $1.size }
    guard total > 0 else { return nil }
    let guess: Markup =
      report.model == nil ? " The colours are guessed from the names: the model is not known." : ""
    let maps = [
      Treemap(report: report, total: total, .wide).markup(groups),
      Treemap(report: report, total: total, .narrow).markup(groups),
    ]
    return Section(
      id: "map", title: isOfTwo ? "Parameters of A" : "Parameters",
      body: """
        <figure><figcaption>As large as its tile is a tensor's number of elements, \
        \(describe(count: total)) in all. A tile leads to the tensor's numbers.\(guess)</figcaption>
        \(maps)<p class="output"><output id="map-output">Point at a tile, or go through them with the \
        arrow keys.</output></p>
        \(kinds(total))</figure>

        """)
  }

  /// What the parameters are for, which is also the legend of the map.
  private func kinds(_ total: Int) -> Markup {
    var sizes: [TensorKind: (tensors: Int, elements: Int)] = [:]
    for (index, kind) in report.kinds.enumerated() {
      let old = sizes[kind] ?? (0, 0)
      sizes[kind] = (old.tensors + 1, old.elements + report.statistics[index].count)
    }
    let rows = TensorKind.allCases.compactMap { kind -> Markup? in
      guard let size = sizes[kind] else { return nil }
      let share = percent(Double(size.elements) / Double(total), digits: 1)
      return """
        <tr><th scope="row"><span class="swatch k-\(kind.rawValue)"></span>\(kind.rawValue)</th>\
        <td>\(describe(size.tensors, "tensor"))</td><td>\(describe(count: size.elements))</td>\
        <td>\(share)</td></tr>

        """
    }
    return "<table class=\"numbers kinds\"><tbody>\(rows)</tbody></table>\n"
  }
}

/// Tensors whose tiles lie together.
struct TensorGroup {
  let name: String
  let size: Int
  /// The largest first.
  let indices: [Int]
  /// What all names begin with, `transformer.`, and so need not be said.
  let common: String

  /// The name without what all have in common.
  var label: String { name.hasPrefix(common) ? String(name.dropFirst(common.count)) : name }

  /// Groups that are smaller than a part of all elements, as one.
  static func merging(_ groups: [TensorGroup], below least: Double) -> [TensorGroup] {
    let total = groups.reduce(0) { $0 + $1.size }
    let small = groups.drop { Double($0.size) >= least * Double(total) }
    guard small.count > 1 else { return groups }
    let rest = TensorGroup(
      name: "others", size: small.reduce(0) { $0 + $1.size }, indices: small.flatMap(\.indices),
      common: "")
    return groups.prefix(groups.count - small.count) + [rest]
  }

  /// Tensors of a layer together; others by the first part of their names.
  static func all(of report: ModelReport) -> [TensorGroup] {
    func size(_ index: Int) -> Int { report.statistics[index].count }
    let stacks = Set(report.roles.map { firstPart(of: $0.stack) })
    let firsts = Set(report.statistics.map { TensorName(firstPart(of: $0.name.text)) })
    let common = firsts.count == 1 ? (firsts.first.map { $0.text + "." } ?? "") : ""
    var order: [TensorName] = []
    var members: [TensorName: [Int]] = [:]
    var layers: [TensorName: Int] = [:]
    for role in report.roles {
      for member in role.members {
        let name = member.layer.map { role.stack + "\($0)" } ?? group(of: role.name, stacks)
        let key = TensorName(name)
        if members[key] == nil { order.append(key) }
        members[key, default: []].append(member.index)
        layers[key] = member.layer
      }
    }
    return order.map { key in
      let indices = (members[key] ?? []).sorted { (-size($0), $0) < (-size($1), $1) }
      return TensorGroup(
        name: key.text, size: indices.reduce(0) { $0 + size($1) }, indices: indices, common: common)
    }.sorted { x, y in
      if x.size != y.size { return x.size > y.size }
      let (first, second) = (layers[TensorName(x.name)] ?? -1, layers[TensorName(y.name)] ?? -1)
      return first == second ? x.name < y.name : first < second
    }
  }

  /// The first part, or two of them if layers have the first one too.
  private static func group(of name: String, _ stacks: Set<String>) -> String {
    let first = firstPart(of: name)
    let rest = name.dropFirst(first.count + 1)
    guard stacks.contains(first), !rest.isEmpty else { return first }
    return name.prefix(first.count + 1) + firstPart(of: String(rest))
  }

  private static func firstPart(of name: String) -> String {
    String(name.prefix { $0 != "." && $0 != "/" })
  }
}
