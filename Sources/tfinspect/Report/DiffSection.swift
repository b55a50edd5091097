import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// How two checkpoints differ, in short.
struct DiffSection {
  let comparison: ComparisonReport

  /// Changes of which it is said how large they are.
  private static let shown = 10

  private var diff: CheckpointDiff { comparison.diff }

  var section: Section {
    let basis: Markup =
      diff.basis == .meaning
      ? "Compared by meaning, under canonical paths." : "Compared by the names in the files."
    var body: Markup = "<p>\(basis) \(summary)</p>\n<div class=\"columns\">"
    if !comparison.largest.isEmpty { body += "<div>\(largest)</div>" }
    if !diff.configDifferences.isEmpty {
      let items = diff.configDifferences.map { "<li>\(shortened($0, to: 240))</li>" as Markup }
      body += "<div><h3>Config</h3><ul>\(items.prefix(100).map(\.self))</ul></div>"
    }
    return Section(id: "differences", title: "Differences", body: body + "</div>\n")
  }

  private var summary: String {
    let noun = diff.basis == .meaning ? "weight" : "tensor"
    let counts = TensorChange.Kind.allCases.compactMap { kind in
      let count = diff.changes.count { $0.kind == kind }
      return count == 0 ? nil : "\(count) \(kind.word)"
    }
    return (["\(describe(diff.identical, noun)) identical"] + counts).joined(separator: ", ") + "."
  }

  /// The largest changes, as bars.
  private var largest: Markup {
    let changes = comparison.largest.prefix(Self.shown)
    let finite = changes.compactMap { diff.changes[$0].difference?.relativeNorm }.filter(\.isFinite)
    let most = finite.max() ?? 0
    let rows = changes.map { index -> Markup in
      let change = diff.changes[index]
      let value = change.difference?.relativeNorm ?? 0
      let share = value.isFinite ? (most > 0 ? value / most : 0) : 1
      let text = value.isFinite ? describe(number: value, digits: 3) : "not finite"
      return """
        <tr><th scope="row"><a\(ChangeSection.link(index))>\(breakable(shown(change)))</a></th>\
        <td class="\(value.isFinite ? "" : "bad")">\(text)</td>\
        <td><svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">\
        <rect class="\(value.isFinite ? "bars" : "bad-bar")" width="\(share * 100)" height="10"/></svg></td></tr>

        """
    }
    let title: Markup =
      diff.changes.count > Self.shown ? "The ten largest changes" : "The changes, by size"
    return """
      <h3>\(title)</h3><p class="caption">‖b − a‖ / ‖a‖, the bars as parts of the largest finite one.</p>
      <table class="ranked"><tbody>\(rows)</tbody></table>

      """
  }

  private func shown(_ change: TensorChange) -> String {
    shortened((change.b ?? change.a)?.name.text ?? "", to: 80)
  }
}
