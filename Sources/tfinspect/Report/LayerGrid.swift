import CommandSupport
import TransformerKit

/// A table with a row for each role and a column for each layer, of roles that are in the same layers.
///
/// Many layers are several tables, one under the other: so they fit a screen, and paper.
struct LayerGrid {
  /// What stands at a layer.
  struct Cell {
    let text: String
    /// How it is coloured: `d0` to `d8`, or another class.
    var style = ""

    /// A text with a colour from -1 over 0, which is none, to 1.
    static func shaded(_ text: String, _ place: Double) -> Cell {
      let colour = 4 + Int((4 * min(1, max(-1, place.isNaN ? 0 : place))).rounded())
      return Cell(text: text, style: colour == 4 ? "" : "d\(colour)")
    }
  }

  /// A row that is about no single role.
  struct Sum {
    let title: String
    /// By the layers' numbers.
    let cells: [Int: Cell]
  }

  /// What comes before the layers' numbers.
  let stack: String
  /// The layers' numbers.
  let layers: [Int]
  let roles: [TensorRole]
  /// Roles and layers that there is no room for.
  let rolesLeftOut: Int
  let layersLeftOut: Int

  /// Columns and rows, and stacks of layers, at most.
  private static let mostLayers = 128
  private static let mostRoles = 60
  private static let mostStacks = 8
  /// Columns beside each other, at most.
  private static let width = 24

  /// The grids of roles, those of the same layers in one.
  ///
  /// - Parameter isPreferred: the roles that are shown where there is no room for all.
  static func all(
    of roles: [TensorRole], preferring isPreferred: (TensorRole) -> Bool = { _ in true }
  ) -> [LayerGrid] {
    var order: [String] = []
    var groups: [String: [TensorRole]] = [:]
    for role in roles where role.members.count > 1 && role.members[0].layer != nil {
      if groups[role.stack] == nil { order.append(role.stack) }
      groups[role.stack, default: []].append(role)
    }
    return order.prefix(mostStacks).map { stack in
      let all = groups[stack] ?? []
      let layers = Set(all.flatMap { $0.members.compactMap(\.layer) }).sorted()
      var roles = all
      if roles.count > mostRoles {
        roles = all.filter(isPreferred) + all.filter { !isPreferred($0) }
      }
      return LayerGrid(
        stack: stack, layers: Array(layers.prefix(mostLayers)),
        roles: Array(roles.prefix(mostRoles)), rolesLeftOut: max(0, roles.count - mostRoles),
        layersLeftOut: max(0, layers.count - mostLayers))
    }
  }

  /// The tables.
  ///
  /// - Parameters:
  ///   - sums: rows that stand above the roles.
  ///   - row: gives the cells of a role's members, by their indices.
  func table(sums: [Sum] = [], _ row: (TensorRole) -> [Int: Cell]) -> Markup {
    let found = roles.map { role -> (name: String, cells: [Int: Cell]) in
      let cells = row(role)
      let name = role.name.drop { $0 == "." || $0 == "/" }
      let placed = role.members.compactMap { member in
        cells[member.index].map { (member.layer ?? 0, $0) }
      }
      return (String(name), Dictionary(placed) { first, _ in first })
    }
    // Parts of about the same width.
    let parts = max(1, (layers.count + Self.width - 1) / Self.width)
    let tables = (0..<parts).map { part in
      let columns = layers[layers.count * part / parts..<layers.count * (part + 1) / parts]
      return table(Array(columns), sums: sums, found)
    }
    var more: Markup = ""
    if rolesLeftOut > 0 { more += "<p>\(rolesLeftOut) more kinds of tensor are left out.</p>" }
    if layersLeftOut > 0 { more += "<p>\(layersLeftOut) more layers are left out.</p>" }
    return Markup(tables) + more
  }

  private func table(
    _ columns: [Int], sums: [Sum], _ rows: [(name: String, cells: [Int: Cell])]
  ) -> Markup {
    let heads = columns.map { "<th scope=\"col\">\($0)</th>" as Markup }
    func cells(_ found: [Int: Cell]) -> [Markup] {
      columns.map { layer in
        guard let cell = found[layer] else { return "<td></td>" }
        return cell.style.isEmpty
          ? "<td>\(cell.text)</td>" : "<td class=\"\(cell.style)\">\(cell.text)</td>"
      }
    }
    let above = sums.map { sum -> Markup in
      "<tr class=\"sum\"><th scope=\"row\">\(sum.title)</th>\(cells(sum.cells))</tr>\n"
    }
    let below = rows.map { row -> Markup in
      "<tr><th scope=\"row\">\(shortened(row.name, to: 44))</th>\(cells(row.cells))</tr>\n"
    }
    let stack = shortened(stack, to: 40)
    return """
      <div class="scroll" tabindex="0" role="group" aria-label="Layers of \(stack)*"><table class="heat">
      <thead><tr><th scope="col"><code>\(stack)*</code></th>\(heads)</tr></thead>
      <tbody>\(above)\(below)</tbody></table></div>

      """
  }
}
