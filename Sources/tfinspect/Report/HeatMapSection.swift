import CommandSupport
import TensorCore
import TransformerKit

/// Statistics by layer: which layer is unlike the others.
struct HeatMapSection {
  let report: ModelReport
  let isOfTwo: Bool

  private struct Measure {
    let id: String
    let title: Markup
    let caption: Markup
    /// Whether colours show how far it is from zero, else from the role's median.
    var isSigned = false
    let value: (TensorStatistics) -> Double?
  }

  private static let ratio: Markup =
    "Blue is half the median of its row or less, white the median, orange twice or more."

  private let measures = [
    Measure(
      id: "std", title: "Deviation", caption: "Standard deviation. \(ratio)", value: \.deviation),
    Measure(
      id: "max", title: "Largest", caption: "Largest absolute value. \(ratio)",
      value: { $0.minimum == nil ? nil : $0.magnitude }),
    Measure(
      id: "out", title: "Outliers",
      caption: "Largest absolute value, in standard deviations. \(ratio)",
      value: { tensor in
        guard let deviation = tensor.deviation, deviation > 0 else { return nil }
        return tensor.magnitude / deviation
      }),
    Measure(
      id: "mean", title: "Mean",
      caption: "Mean, in standard deviations. Blue is -1 or less, white 0, orange 1 or more.",
      isSigned: true,
      value: { tensor in
        guard let deviation = tensor.deviation, deviation > 0 else { return nil }
        return tensor.mean?.number.map { $0 / deviation }
      }),
  ]

  var section: Section? {
    let grids = LayerGrid.all(of: report.roles)
    guard !grids.isEmpty else { return nil }
    var (inputs, panels): (Markup, Markup) = ("", "")
    for (number, measure) in measures.enumerated() {
      let checked: Markup = number == 0 ? " checked" : ""
      inputs += """
        <input type="radio" name="heat" id="heat-\(measure.id)"\(checked)>\
        <label for="heat-\(measure.id)">\(measure.title)</label>
        """
      let tables = grids.map { grid in grid.table { cells(of: $0, measure) } }
      panels += """
        <div class="panel" id="panel-\(measure.id)"><p class="caption">\(measure.caption)\(warning)</p>
        \(tables)</div>

        """
    }
    return Section(
      id: "layers", title: isOfTwo ? "Layers of A" : "Layers",
      body:
        "<div class=\"tabs\" role=\"group\" aria-label=\"Statistic\">\(inputs)\n\(panels)</div>\n")
  }

  private var warning: String {
    report.statistics.contains { $0.nan + $0.infinite > 0 }
      ? " What is marked ! has elements that are not finite; the number is that of the others." : ""
  }

  private func cells(of role: TensorRole, _ measure: Measure) -> [Int: LayerGrid.Cell] {
    let values = role.members.compactMap { member in
      measure.value(report.statistics[member.index]).map { (member.index, $0) }
    }
    let sorted = values.map(\.1).sorted()
    guard !sorted.isEmpty else { return [:] }
    let median = sorted[sorted.count / 2]
    return Dictionary(
      uniqueKeysWithValues: values.map { index, value in
        let place = measure.isSigned ? value : doublings(value, from: median)
        let text = describe(number: value, digits: 2)
        let statistics = report.statistics[index]
        return statistics.nan + statistics.infinite > 0
          ? (index, LayerGrid.Cell(text: text + "!", style: "lost"))
          : (index, .shaded(text, place))
      })
  }

  /// How often the median must be doubled to be the value.
  private func doublings(_ value: Double, from median: Double) -> Double {
    if value == median { return 0 }
    let ratio = value / median
    if ratio.isNaN { return 0 }
    // Between half and twice, what is left after whole doublings is nearly linear.
    return ratio >= 1 ? min(ratio, 2) - 1 : 1 - 1 / max(ratio, 0.5)
  }
}
