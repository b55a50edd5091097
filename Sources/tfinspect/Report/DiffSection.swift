import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// How two checkpoints differ.
struct DiffSection {
  let diff: CheckpointDiff

  /// Changes that are listed, at most.
  private static let most = 1000

  var section: Section {
    let basis: Markup =
      diff.basis == .meaning
      ? "Compared by meaning, under canonical paths." : "Compared by the names in the files."
    var body: Markup = "<p>\(basis) \(summary)</p>\n"
    if !diff.configDifferences.isEmpty {
      let items = diff.configDifferences.map { "<li>\($0)</li>" as Markup }
      body += "<h3>Config</h3><ul>\(items)</ul>\n"
    }
    body += Markup(heat)
    if !diff.changes.isEmpty { body += table }
    return Section(id: "differences", title: "Differences", body: body)
  }

  private var summary: String {
    let noun = diff.basis == .meaning ? "weight" : "tensor"
    let counts = TensorChange.Kind.allCases.compactMap { kind in
      let count = diff.changes.count { $0.kind == kind }
      return count == 0 ? nil : "\(count) \(kind.word)"
    }
    return (["\(describe(diff.identical, noun)) identical"] + counts).joined(separator: ", ") + "."
  }

  // MARK: By layer

  /// How far each weight moved, layer by layer.
  private var heat: [Markup] {
    let moved = diff.changes.filter { $0.difference != nil }
    let roles = TensorRole.all(of: moved.map { ($0.b ?? $0.a)?.name ?? "" })
    let grids = LayerGrid.all(of: roles)
    if grids.isEmpty { return [] }
    let caption: Markup = """
      <h3>Layers</h3><p class="caption">‖b − a‖ / ‖a‖ of what differs. The colour is its logarithm: from \
      none at 1e-6 to orange at 0.1. What is identical is left empty.</p>

      """
    return [caption]
      + grids.map { grid in
        grid.table { role in
          Dictionary(
            uniqueKeysWithValues: role.members.map { member in
              let value = moved[member.index].difference?.relativeNorm ?? 0
              let place = value > 0 ? (decimalLogarithm(value) + 6) / 5 : 0
              let colour = 4 + Int((4 * min(1, max(0, place.isNaN ? 1 : place))).rounded())
              return (member.index, (describe(number: value, digits: 2), colour))
            })
        }
      }
  }

  // MARK: One by one

  private var table: Markup {
    let rows = diff.changes.prefix(Self.most).map { change -> Markup in
      """
      <tr><td class="text mark m-\(change.kind.word == "changed" ? "changed" : "other")">\
      \(change.kind.rawValue)</td><th scope="row">\(change.names)</th>\
      <td class="text">\(change.types)</td>\
      <td>\(change.difference.map { describe(number: $0.relativeNorm, digits: 3) } ?? "–")</td>\
      <td class="text">\(change.details)</td></tr>

      """
    }
    let rest = diff.changes.count - rows.count
    let more: Markup = rest > 0 ? "<p>And \(rest) more: see tfinspect diff.</p>" : ""
    let kinds = TensorChange.Kind.allCases.filter { kind in
      diff.changes.contains { $0.kind == kind }
    }
    let key = kinds.map { "<li><code>\($0.rawValue)</code> \($0.word)</li>" as Markup }
    return """
      <h3>Changes</h3><ul class="legend">\(key)</ul>
      <div class="scroll" tabindex="0" role="group" aria-label="Table of changes">\
      <table class="numbers"><thead><tr><th scope="col" class="text"></th>\
      <th scope="col" class="text">Name</th><th scope="col" class="text">Type and shape</th>\
      <th scope="col">‖b − a‖ / ‖a‖</th><th scope="col" class="text">How</th></tr></thead>
      <tbody>\(rows)</tbody></table></div>\(more)

      """
  }
}
