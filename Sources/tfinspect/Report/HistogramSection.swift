import CommandSupport
import TensorCore
import TransformerKit

/// How the values of each tensor are distributed; layers side by side, at the same scale.
struct HistogramSection {
  let report: ModelReport
  let isOfTwo: Bool

  private static let width = 96.0
  private static let height = 44
  /// Histograms that are drawn, at most.
  private static let most = 1200

  var section: Section? {
    var (rows, drawn): ([Markup], Int) = ([], 0)
    var single: [Int] = []
    for role in report.roles {
      let shown = role.members.filter { report.statistics[$0.index].histogram != nil }
      guard !shown.isEmpty, drawn + shown.count <= Self.most else { continue }
      drawn += shown.count
      if shown.count == 1 { single.append(shown[0].index) } else { rows.append(row(role, shown)) }
    }
    if drawn == 0 { return nil }
    let others = single.map { alone($0) }
    let rest: Markup =
      others.isEmpty
      ? ""
      : "<div class=\"role\"><h3>Others</h3><div class=\"multiples\">\(others)</div></div>"
    let more: Markup =
      drawn < report.statistics.count
      ? " \(report.statistics.count - drawn) tensors are left out: they have no finite elements, or there is no room."
      : ""
    return Section(
      id: "histograms", title: isOfTwo ? "Histograms of A" : "Histograms",
      body: """
        <figure data-roving><figcaption>Each from its tensor's least to its largest value, at the scale of its row. \
        The height is the square root of the count, so that tails are seen; the line is zero.\(more)\
        </figcaption>
        \(rows)\(rest)
        </figure>

        """)
  }

  /// The layers of a role; in a line, where there is nothing to be drawn.
  private func row(_ role: TensorRole, _ members: [TensorRole.Member]) -> Markup {
    let values = members.map { report.statistics[$0.index] }
    if let value = values[0].minimum,
      values.allSatisfy({ $0.minimum == value && $0.maximum == value })
    {
      return """
        <div class="role"><h3><code>\(breakable(listed(role.pattern)))</code> <span>all elements of \
        \(members.count) layers are \(value.shortText)</span></h3></div>

        """
    }
    let ranges = members.compactMap { report.statistics[$0.index].histogram?.range }
    let low = ranges.map(\.lowerBound).min() ?? 0
    let high = ranges.map(\.upperBound).max() ?? 0
    let cells = members.map { member in
      picture(member.index, "\(member.layer ?? 0)" as Markup, in: low...high)
    }
    return """
      <div class="role"><h3><code>\(breakable(listed(role.pattern)))</code> <span>\(describe(number: low, digits: 3)) \
      to \(describe(number: high, digits: 3))</span></h3><div class="multiples">\(cells)</div></div>

      """
  }

  /// A tensor that has no others like it.
  private func alone(_ index: Int) -> Markup {
    let tensor = report.statistics[index]
    guard let range = tensor.histogram?.range else { return "" }
    return picture(index, breakable(shortened(tensor.name.text, to: 56)), in: range, isNamed: true)
  }

  private func picture(
    _ index: Int, _ label: Markup, in range: ClosedRange<Double>, isNamed: Bool = false
  ) -> Markup {
    let tensor = report.statistics[index]
    guard let histogram = tensor.histogram else { return "" }
    // Halved, because the distance of two finite numbers may not be finite.
    func place(_ value: Double) -> Double {
      let whole = range.upperBound / 2 - range.lowerBound / 2
      return whole > 0 ? (value / 2 - range.lowerBound / 2) / whole * Self.width : Self.width / 2
    }
    let isConstant = histogram.range.lowerBound == histogram.range.upperBound
    let left = place(histogram.range.lowerBound) - (isConstant ? 1 : 0)
    let scale = max(place(histogram.range.upperBound) - left, 2) / Self.width
    let outline: Markup = isConstant ? "M0 0h96v44h-96z" : path(histogram.counts)
    let zero: Markup =
      range.lowerBound < 0 && range.upperBound > 0
      ? "<path class=\"zero\" d=\"M\(place(0)) 0v\(Self.height)\"/>" : ""
    let text =
      "\(listed(tensor.name.text)): \(tensor.minimum?.shortText ?? "-") to \(tensor.maximum?.shortText ?? "-"),"
      + " mean \(tensor.mean?.shortText ?? "-"),"
      + " deviation \(tensor.deviation.map { describe(number: $0) } ?? "-")"
    return """
      <a class="\(isNamed ? "cell named" : "cell")"\(TensorSection.link(index))><svg viewBox="0 0 96 44" \
      role="img"><title>\(text)</title>\(zero)<path class="bars" \
      transform="translate(\(left) 0)scale(\(scale, digits: 3) 1)" d="\(outline)"/></svg>\
      <span>\(label)</span></a>

      """
  }

  /// Bars as one outline, from the left to the right.
  private func path(_ counts: [Int]) -> Markup {
    let most = Double(max(1, counts.max() ?? 1))
    let step = Self.width / Double(counts.count)
    var (text, level, run): (Markup, Int, Double) = ("M0 \(Self.height)", Self.height, 0)
    for count in counts {
      let bar = (Double(count) / most).squareRoot() * Double(Self.height)
      // What is not zero is seen.
      let top = Self.height - (count == 0 ? 0 : max(1, Int(bar.rounded())))
      if top != level {
        if run > 0 { text += "h\(run)" }
        text += "V\(top)"
        (level, run) = (top, 0)
      }
      run += step
    }
    text += "h\(run)V\(Self.height)z"
    return text
  }
}
