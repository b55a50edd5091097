import CommandSupport
import TensorCore
import TransformerKit

/// All tensors and their statistics, as `stats` has them.
struct TensorSection {
  let report: ModelReport
  let isOfTwo: Bool

  /// Rows, at most.
  private static let most = 3000

  /// What leads to a tensor's row, if it has one.
  static func link(_ index: Int) -> Markup {
    index < most ? " href=\"#t\(index)\"" : ""
  }

  var section: Section {
    let all = report.statistics
    let rows = all.indices.prefix(Self.most).map { row($0) }
    let more: Markup =
      all.count > rows.count
      ? "<p>The first \(rows.count) of \(all.count) tensors; tfinspect stats has all.</p>" : ""
    let types = Set(all.prefix(Self.most).map(\.dtype.name)).sorted()
    let table = DataTable(
      id: "tensor-table", label: "Table of tensors", columns: columns.map(\.head), rows: rows,
      choices: [0: types])
    return Section(
      id: "tensors", title: isOfTwo ? "Tensors of A" : "Tensors", body: more + table.markup)
  }

  private struct Column {
    let head: DataTable.Column
    let cell: (TensorStatistics) -> DataTable.Cell
  }

  private var columns: [Column] {
    func number(_ title: String, _ value: @escaping (TensorStatistics) -> String?) -> Column {
      Column(head: .init(title: title)) { DataTable.Cell("\(value($0) ?? "–")") }
    }
    var columns = [
      Column(head: .init(title: "Type", isText: true)) {
        DataTable.Cell("\($0.dtype.name)")
      },
      Column(head: .init(title: "Shape", isText: true)) {
        DataTable.Cell("\(pictured(shape: $0.shape))")
      },
      Column(head: .init(title: "Elements")) {
        DataTable.Cell("\(describe(count: $0.count))", Double($0.count))
      },
      number("Min") { $0.minimum?.shortText },
      number("Max") { $0.maximum?.shortText },
      number("Mean") { $0.mean?.shortText },
      number("Std") { $0.deviation.map { describe(number: $0) } },
      number("Norm") { describe(number: $0.norm) },
    ]
    let counts: [(String, (TensorStatistics) -> Int)] = [
      ("Zeros", \.zeros), ("Subnormal", \.subnormals), ("NaN", \.nan), ("Inf", \.infinite),
    ]
    // Columns that would be zero everywhere say nothing.
    for (title, count) in counts where report.statistics.contains(where: { count($0) > 0 }) {
      columns.append(number(title) { count($0) == 0 ? nil : "\(count($0))" })
    }
    return columns
  }

  private func row(_ index: Int) -> DataTable.Row {
    let tensor = report.statistics[index]
    return DataTable.Row(
      id: "t\(index)", name: "\(listed(tensor.name.text))", cells: columns.map { $0.cell(tensor) })
  }
}
