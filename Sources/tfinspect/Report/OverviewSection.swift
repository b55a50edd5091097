import CommandSupport
import Containers
import Models
import Kernels
import TensorCore
import TransformerKit

/// What the checkpoint is, and what is wrong with it.
struct OverviewSection {
  let report: ModelReport
  let comparison: ComparisonReport?
  let options: OpenOptions

  /// Findings of a group that are listed, at most.
  private static let mostFindings = 100

  var section: Section {
    var body: Markup = ""
    if let comparison {
      body += headline(comparison)
      body += "<ul class=\"figures\">\(figures(comparison))</ul>\n<div class=\"columns\">"
      let first = facts(report.checkpoint, report.model, report.obstacle)
      let second = facts(comparison.checkpoint, comparison.model, comparison.obstacle)
      body += "<div><h3>First (A)</h3>\(first)<h3>Check of A</h3>\(findings(report.check))</div>"
      body +=
        "<div><h3>Second (B)</h3>\(second)<h3>Check of B</h3>\(findings(comparison.check))</div></div>\n"
    } else {
      body += "<ul class=\"figures\">\(figures)</ul>\n<div class=\"columns\">"
      body += "<div><h3>Facts</h3>\(facts(report.checkpoint, report.model, report.obstacle))</div>"
      body += "<div><h3>Check</h3>\(findings(report.check))</div></div>\n"
    }
    return Section(id: "overview", title: "Overview", body: body)
  }

  // MARK: Two

  private func headline(_ comparison: ComparisonReport) -> Markup {
    let noun = comparison.diff.basis == .meaning ? "weights" : "tensors"
    var text = comparison.map.headline(comparison.diff, noun: noun)
    let facts = comparison.diff.configDifferences.count
    if facts > 0 {
      text += "; \(describe(facts, "fact")) of the config \(facts == 1 ? "differs" : "differ")"
    }
    var body: Markup = "<p class=\"headline\">\(text).</p>\n"
    let lost = comparison.diff.changes.indices.filter {
      comparison.diff.changes[$0].difference?.incomparable ?? 0 > 0
    }
    if !lost.isEmpty {
      let names = lost.prefix(3).map { index -> Markup in
        let change = comparison.diff.changes[index]
        return
          "<a\(ChangeSection.link(index))><code>\(listed((change.b ?? change.a)?.name.text ?? ""))</code></a>"
      }
      let more = lost.count > 3 ? " and \(lost.count - 3) more" : ""
      let count = comparison.incomparable
      body += """
        <p class="bad">\(describe(count, "element")) \(count == 1 ? "is" : "are") finite in one of the two \
        only, or another infinity or NaN, in \(names.joined(by: ", "))\(more).</p>

        """
    }
    return body
  }

  private func figures(_ comparison: ComparisonReport) -> [Markup] {
    let diff = comparison.diff
    let largest = comparison.largest.first.flatMap { diff.changes[$0].difference?.relativeNorm }
    var figures = [
      figure(
        "\(diff.changes.count) of \(diff.entries.count)",
        diff.basis == .meaning ? "weights differ" : "tensors differ")
    ]
    if let largest {
      figures.append(
        figure(
          largest.isFinite ? describe(number: largest, digits: 3) : "not finite",
          "largest ‖b − a‖ / ‖a‖", largest.isFinite ? "" : "bad"))
    }
    return figures + [faults(report.check, "faults in A"), faults(comparison.check, "faults in B")]
  }

  private func faults(_ check: CheckReport, _ noun: String) -> Markup {
    let count = check.faults.count
    return figure(count == 0 ? "none" : "\(count)", noun, count == 0 ? "good" : "bad")
  }

  // MARK: Figures

  private var figures: [Markup] {
    let tensors = report.tensors
    let elements = tensors.reduce(0) { $0 + $1.elementCount }
    let parameters = report.model?.graph.parameterCount
    return [
      figure(
        describe(count: parameters ?? elements), parameters == nil ? "elements" : "parameters"),
      figure("\(tensors.count)", tensors.count == 1 ? "tensor" : "tensors"),
      figure(describe(bytes: tensors.reduce(0) { $0 + $1.byteCount }), "to load"),
      figure(types, "types"),
      faults(report.check, "faults"),
    ]
  }

  private func figure(_ value: String, _ noun: String, _ style: String = "") -> Markup {
    "<li class=\"\(style)\"><b>\(value)</b> <span>\(noun)</span></li>"
  }

  /// The types, those with the most bytes first.
  private var types: String {
    var bytes: [DType: Int] = [:]
    for tensor in report.tensors {
      bytes[tensor.dtype, default: 0] += tensor.byteCount
    }
    let order = bytes.sorted { ($1.value, $0.key.name) < ($0.value, $1.key.name) }.map(\.key.name)
    let rest = order.count > 3 ? " +\(order.count - 3)" : ""
    return order.prefix(3).joined(separator: ", ") + rest
  }

  // MARK: Facts

  private func facts(
    _ checkpoint: Checkpoint, _ model: Model?, _ obstacle: CheckpointError?
  ) -> Markup {
    let rows = Facts(checkpoint, model, obstacle, options.recognition).rows()
    let cells = rows.prefix(200).map { row -> Markup in
      let isPart = row.0.hasPrefix("  ")
      let what = row.0.drop { $0 == " " }
      let text = shortened(row.1, to: 600)
      return
        "<tr><th scope=\"row\" class=\"\(isPart ? "part" : "")\">\(String(what))</th><td>\(text)</td></tr>"
    }
    let rest = rows.count - cells.count
    let more: Markup = rest > 0 ? "<p>And \(rest) more: see tfinspect info.</p>" : ""
    return "<table class=\"facts\"><tbody>\(cells)</tbody></table>\(more)"
  }

  // MARK: Findings

  private func findings(_ check: CheckReport) -> Markup {
    var body: Markup = ""
    for group in CheckReport.Group.allCases {
      let faults = check.faults.filter { $0.group == group }
      if faults.isEmpty { continue }
      let advice: Markup = check.advice(on: group).map { "<p>→ \($0)</p>" } ?? ""
      body +=
        "<h4 class=\"bad\">\(group.title) (\(faults.count))</h4>\(list(faults))\(advice)"
    }
    if check.faults.isEmpty {
      let model = check.model.map { "; it fits \($0)" } ?? ""
      body +=
        "<p class=\"good\">✓ No faults in \(describe(check.tensorCount, "tensor"))\(model).</p>"
    }
    if !check.notes.isEmpty {
      let open = check.notes.count < 4 ? " open" : "" as Markup
      body +=
        "<details\(open)><summary>Notes (\(check.notes.count))</summary>\(list(check.notes))</details>"
    }
    return body
  }

  private func list(_ findings: [CheckReport.Finding]) -> Markup {
    let items = findings.prefix(Self.mostFindings).map { finding -> Markup in
      let text = shortened(finding.text, to: 600)
      guard let tensor = finding.tensor else { return "<li>\(text)</li>" }
      return "<li><code>\(listed(tensor.text))</code>: \(text)</li>"
    }
    let rest = findings.count - items.count
    let more: Markup = rest > 0 ? "<li>and \(rest) more: see tfinspect check</li>" : ""
    return "<ul>\(items)\(more)</ul>"
  }
}
