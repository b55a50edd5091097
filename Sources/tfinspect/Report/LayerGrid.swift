import CommandSupport
import TransformerKit

/// A table with a row for each role and a column for each layer, of roles that are in the same layers.
struct LayerGrid {
  /// What comes before the layers' numbers.
  let stack: String
  /// The layers' numbers.
  let layers: [Int]
  let roles: [TensorRole]
  /// Roles that there is no room for.
  let leftOut: Int

  /// Columns and rows, at most.
  private static let mostLayers = 128
  private static let mostRoles = 60

  /// The grids of roles, those of the same layers in one.
  static func all(of roles: [TensorRole]) -> [LayerGrid] {
    var order: [String] = []
    var groups: [String: [TensorRole]] = [:]
    for role in roles where role.members.count > 1 && role.members[0].layer != nil {
      if groups[role.stack] == nil { order.append(role.stack) }
      groups[role.stack, default: []].append(role)
    }
    return order.map { stack in
      let roles = groups[stack] ?? []
      let layers = Set(roles.flatMap { $0.members.compactMap(\.layer) }).sorted()
      return LayerGrid(
        stack: stack, layers: Array(layers.prefix(mostLayers)),
        roles: Array(roles.prefix(mostRoles)), leftOut: max(0, roles.count - mostRoles))
    }
  }

  /// The table.
  ///
  /// - Parameter row: gives the cells of a role's members, each with its text and its colour, from 0 to
  ///   8, where 4 is none.
  func table(
    _ row: (TensorRole) -> [Int: (text: String, colour: Int)]
  ) -> Markup {
    let heads = layers.map { "<th scope=\"col\">\($0)</th>" as Markup }
    let rows = roles.map { role -> Markup in
      let found = row(role)
      let places = Dictionary(role.members.map { ($0.layer ?? 0, $0.index) }) { first, _ in first }
      let cells = layers.map { layer -> Markup in
        guard let cell = places[layer].flatMap({ found[$0] }) else { return "<td></td>" }
        return cell.colour == 4
          ? "<td>\(cell.text)</td>" : "<td class=\"d\(cell.colour)\">\(cell.text)</td>"
      }
      let name = role.name.drop { $0 == "." || $0 == "/" }
      return "<tr><th scope=\"row\">\(shortened(String(name), to: 44))</th>\(cells)</tr>\n"
    }
    let more: Markup = leftOut > 0 ? "<p>\(leftOut) more kinds of tensor are left out.</p>" : ""
    return """
      <div class="scroll" tabindex="0" role="group" aria-label="Layers of \(stack)*"><table class="heat">
      <thead><tr><th scope="col"><code>\(stack)*</code></th>\(heads)</tr></thead>
      <tbody>\(rows)</tbody></table></div>\(more)

      """
  }
}
