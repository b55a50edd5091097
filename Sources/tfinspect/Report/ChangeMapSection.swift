import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// Where two checkpoints differ: every weight, layer by layer, also those that are the same.
struct ChangeMapSection {
  let comparison: ComparisonReport

  /// Weights outside of the layers that are listed, at most.
  private static let most = 80

  private var diff: CheckpointDiff { comparison.diff }
  private var map: ChangeMap { comparison.map }

  var section: Section? {
    if diff.entries.isEmpty { return nil }
    let grids = LayerGrid.all(of: map.roles) { role in
      role.members.contains { diff.entries[$0.index].change != nil }
    }
    let tables = grids.map { grid in
      grid.table(sums: sums(of: grid)) { role in
        Dictionary(uniqueKeysWithValues: role.members.map { ($0.index, cell($0.index)) })
      }
    }
    return Section(
      id: "where", title: "Changes by layer",
      body: """
        <p class="caption">‖b − a‖ / ‖a‖; = is the same in both, bit for bit. The colour is its \
        logarithm: from none at 1e-6 to orange at 0.1. The letters are those of tfinspect diff: \
        + only in B, - only in A, C cast, P rearranged, R renamed, ~ not measured.</p>
        \(tables)\(alone)
        """)
  }

  /// Of each layer how much changed, and how far all that changed.
  private func sums(of grid: LayerGrid) -> [LayerGrid.Sum] {
    let layers = map.layers.filter { $0.stack == grid.stack }
    func row(
      _ title: String, _ cell: (ChangeMap.Layer) -> LayerGrid.Cell
    ) -> LayerGrid.Sum {
      LayerGrid.Sum(
        title: title,
        cells: Dictionary(layers.map { ($0.number, cell($0)) }) { first, _ in first })
    }
    return [
      row("how many changed") { layer in
        layer.changed == 0 ? same : LayerGrid.Cell(text: "\(layer.changed)/\(layer.count)")
      },
      row("all that changed") { layer in
        layer.relative.map { measured($0) }
          ?? (layer.changed == 0 ? same : LayerGrid.Cell(text: "–"))
      },
    ]
  }

  private let same = LayerGrid.Cell(text: "=", style: "same")

  private func cell(_ entry: Int) -> LayerGrid.Cell {
    guard let index = diff.entries[entry].change else { return same }
    let change = diff.changes[index]
    guard let difference = change.difference, change.kind == .changed || change.kind == .cast else {
      return LayerGrid.Cell(text: change.kind.rawValue, style: "d6")
    }
    return measured(difference.relativeNorm)
  }

  private func measured(_ value: Double) -> LayerGrid.Cell {
    guard value.isFinite else { return LayerGrid.Cell(text: "inf", style: "lost") }
    return .shaded(
      describe(number: value, digits: 2), value > 0 ? (decimalLogarithm(value) + 6) / 5 : 0)
  }

  /// The weights that are in no layer.
  private var alone: Markup {
    let members = map.roles.flatMap { role in role.members.filter { $0.layer == nil } }
    if members.isEmpty { return "" }
    let changed = members.filter { diff.entries[$0.index].change != nil }
    let isLong = members.count > Self.most
    let shown = (isLong ? changed : members).prefix(Self.most)
    let rows = shown.map { member -> Markup in
      let cell = cell(member.index)
      let name = breakable(shortened(diff.entries[member.index].name.text, to: 120))
      let link = diff.entries[member.index].change.map { ChangeSection.link($0) }
      return """
        <tr><th scope="row">\(link.map { "<a\($0)>\(name)</a>" as Markup } ?? name)</th>\
        <td class="\(cell.style)">\(cell.text)</td></tr>

        """
    }
    let rest = members.count - shown.count
    let more: Markup =
      rest > 0
      ? "<p class=\"caption\">\(rest) more, of which \(changed.count - shown.count(where: { diff.entries[$0.index].change != nil })) differ.</p>"
      : ""
    return """
      <h3>Outside of the layers</h3><table class="heat alone"><tbody>\(rows)</tbody></table>\(more)

      """
  }
}
