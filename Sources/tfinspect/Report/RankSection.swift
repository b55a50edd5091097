import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// The rank of B − A: is this a LoRA?
struct RankSection {
  let comparison: ComparisonReport

  /// Matrices outside of the layers that are listed, at most.
  private static let most = 40

  private var ranks: DifferenceRanks { comparison.ranks }

  var section: Section? {
    guard ranks.candidates > 0 else { return nil }
    var body: Markup = ""
    if let verdict = ranks.verdict {
      body += "<p class=\"verdict\"><b>Is this a LoRA?</b> \(verdict)</p>\n"
    }
    body += """
      <p class="caption">The rank is the number of directions in which B − A is longer than rounding to \
      B's type makes it, out of the shorter side of the matrix. \(choice) Up to \
      \(2 * RankSketch.mostDirections) columns it comes from the singular values themselves, beyond that \
      from the images of \(RankSketch.mostDirections) random directions, so that ranks of \
      \(RankSketch.mostDirections) and more are not told apart. Directions that are weaker than rounding are not seen. A \
      few changed rows or columns give a low rank, too: a rank says nothing about how the change was made.</p>
      \(grids)\(alone)
      """
    let charts = SpectrumCharts(spectra: comparison.spectra, link: ChangeSection.link)
    if comparison.spectra.count > 0 {
      body += """
        <h3>Singular values of B − A</h3><p class="caption">\(charts.choice("matrices that changed"))</p>
        \(charts.markup)
        """
    }
    return Section(id: "rank", title: "Rank of the difference", body: body)
  }

  private var choice: String {
    let left = ranks.candidates - ranks.matrices.count - ranks.notFinite
    var text =
      "\(ranks.matrices.count) of \(ranks.candidates) matrices that changed were looked at."
    if ranks.notFinite > 0 { text += " Not all elements of \(ranks.notFinite) are finite." }
    if left > 0 { text += " There was no time for \(left)." }
    return text
  }

  /// By the places of the changes.
  private var found: [Int: DifferenceRanks.Matrix] {
    Dictionary(ranks.matrices.map { ($0.index, $0) }) { first, _ in first }
  }

  private func cell(_ matrix: DifferenceRanks.Matrix) -> LayerGrid.Cell {
    // Low ranks are blue: the lower, the stronger.
    let share = Double(matrix.rank) / Double(max(1, matrix.shortSide))
    return matrix.isLow
      ? .shaded(matrix.count, -1 + 2 * share) : LayerGrid.Cell(text: matrix.count)
  }

  private var grids: [Markup] {
    let found = found
    func matrix(_ member: TensorRole.Member) -> DifferenceRanks.Matrix? {
      comparison.diff.entries[member.index].change.flatMap { found[$0] }
    }
    let roles = comparison.map.roles.filter { $0.members.contains { matrix($0) != nil } }
    return LayerGrid.all(of: roles).map { grid in
      grid.table { role in
        let cells = role.members.compactMap { member in
          matrix(member).map { (member.index, cell($0)) }
        }
        return Dictionary(uniqueKeysWithValues: cells)
      }
    }
  }

  /// Matrices that are in no layer.
  private var alone: Markup {
    let rows = ranks.matrices.filter { $0.layer == nil }.prefix(Self.most).map { matrix -> Markup in
      let change = comparison.diff.changes[matrix.index]
      let name = breakable(shortened((change.b ?? change.a)?.name.text ?? "", to: 120))
      return """
        <tr><th scope="row"><a\(ChangeSection.link(matrix.index))>\(name)</a></th>\
        <td class="\(cell(matrix).style)">\(matrix.text)</td></tr>

        """
    }
    return rows.isEmpty ? "" : "<table class=\"heat alone\"><tbody>\(rows)</tbody></table>\n"
  }
}
