import CommandSupport
import Containers
import Models
import TensorCore
import TransformerKit

/// What the checkpoint is, and what is wrong with it.
struct OverviewSection {
  let report: ModelReport
  let comparison: Comparison?
  let options: OpenOptions

  /// Findings of a group that are listed, at most.
  private static let mostFindings = 100

  var section: Section {
    var body: Markup = "<ul class=\"figures\">\(figures)</ul>\n<div class=\"columns\">"
    if let second = comparison?.checkpoint {
      body += "<div><h3>First (A)</h3>\(facts(report.checkpoint))</div>"
      body += "<div><h3>Second (B)</h3>\(facts(second))</div></div>\n"
      body += "<h3>Check of A</h3>\(findings)\n"
    } else {
      body += "<div><h3>Facts</h3>\(facts(report.checkpoint))</div>"
      body += "<div><h3>Check</h3>\(findings)</div></div>\n"
    }
    return Section(id: "overview", title: "Overview", body: body)
  }

  // MARK: Figures

  private var figures: [Markup] {
    let tensors = report.checkpoint.tensors
    let elements = tensors.tensors.reduce(0) { $0 + $1.elementCount }
    let parameters = report.model?.graph.parameterCount
    let faults = report.check.faults.count
    return [
      figure(
        describe(count: parameters ?? elements), parameters == nil ? "elements" : "parameters"),
      figure("\(tensors.count)", tensors.count == 1 ? "tensor" : "tensors"),
      figure(describe(bytes: tensors.byteCount), "to load"),
      figure(types, "types"),
      figure(faults == 0 ? "none" : "\(faults)", "faults", faults == 0 ? "good" : "bad"),
    ]
  }

  private func figure(_ value: String, _ noun: String, _ style: String = "") -> Markup {
    "<li class=\"\(style)\"><b>\(value)</b> <span>\(noun)</span></li>"
  }

  /// The types, those with the most bytes first.
  private var types: String {
    var bytes: [DType: Int] = [:]
    for tensor in report.checkpoint.tensors.tensors {
      bytes[tensor.dtype, default: 0] += tensor.byteCount
    }
    let order = bytes.sorted { ($1.value, $0.key.name) < ($0.value, $1.key.name) }.map(\.key.name)
    let rest = order.count > 3 ? " +\(order.count - 3)" : ""
    return order.prefix(3).joined(separator: ", ") + rest
  }

  // MARK: Facts

  private func facts(_ checkpoint: Checkpoint) -> Markup {
    let isFirst = checkpoint.path == report.checkpoint.path
    let (model, obstacle) =
      isFirst ? (report.model, report.obstacle) : ModelReport.understood(checkpoint, options)
    let rows = Facts(checkpoint, model, obstacle, options.recognition).rows
    let cells = rows.prefix(200).map { row -> Markup in
      let isPart = row.0.hasPrefix("  ")
      let what = row.0.drop { $0 == " " }
      return
        "<tr><th scope=\"row\" class=\"\(isPart ? "part" : "")\">\(String(what))</th><td>\(row.1)</td></tr>"
    }
    return "<table class=\"facts\"><tbody>\(cells)</tbody></table>"
  }

  // MARK: Findings

  private var findings: Markup {
    let check = report.check
    var body: Markup = ""
    for group in CheckReport.Group.allCases {
      let faults = check.faults.filter { $0.group == group }
      if faults.isEmpty { continue }
      body +=
        "<h4 class=\"bad\">\(group.title) (\(faults.count))</h4>\(list(faults))<p>→ \(group.advice)</p>"
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
      guard let tensor = finding.tensor else { return "<li>\(finding.text)</li>" }
      return "<li><code>\(tensor.text)</code>: \(finding.text)</li>"
    }
    let rest = findings.count - items.count
    let more: Markup = rest > 0 ? "<li>and \(rest) more: see tfinspect check</li>" : ""
    return "<ul>\(items)\(more)</ul>"
  }
}
