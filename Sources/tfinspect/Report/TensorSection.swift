import CommandSupport
import TensorCore
import TransformerKit

/// All tensors and their statistics, as `stats` has them.
struct TensorSection {
  let report: ModelReport

  /// Rows, at most.
  private static let most = 3000

  var section: Section {
    let all = report.statistics
    let rows = all.indices.prefix(Self.most).map { row($0) }
    let more: Markup =
      all.count > rows.count
      ? "<p>The first \(rows.count) of \(all.count) tensors; tfinspect stats has all.</p>" : ""
    return Section(
      id: "tensors", title: "Tensors",
      body: """
        <p hidden><label for="filter">Filter by name</label> <input type="search" id="filter" \
        autocomplete="off"> <output id="filter-count" for="filter"></output></p>\(more)
        <div class="scroll" tabindex="0" role="group" aria-label="Table of tensors">\
        <table class="numbers" id="tensor-table">
        <thead><tr>\(heads)</tr></thead>
        <tbody>
        \(rows)</tbody></table></div>

        """)
  }

  private struct Column {
    let title: String
    var isText = false
    /// The text, and the number to sort by where the text is not it.
    let cell: (TensorStatistics) -> (text: String, value: Double?)
  }

  private var columns: [Column] {
    func number(_ title: String, _ value: @escaping (TensorStatistics) -> String?) -> Column {
      Column(title: title) { (value($0) ?? "–", nil) }
    }
    var columns = [
      Column(title: "Type", isText: true) { ($0.dtype.name, nil) },
      Column(title: "Shape", isText: true) { (pictured(shape: $0.shape), nil) },
      Column(title: "Elements") { (describe(count: $0.count), Double($0.count)) },
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

  private var heads: [Markup] {
    ["<th scope=\"col\" class=\"text\">Name</th>"]
      + columns.map { column in
        column.isText
          ? "<th scope=\"col\" class=\"text\">\(column.title)</th>"
          : "<th scope=\"col\">\(column.title)</th>"
      }
  }

  private func row(_ index: Int) -> Markup {
    let tensor = report.statistics[index]
    let cells = columns.map { column -> Markup in
      let (text, value) = column.cell(tensor)
      if column.isText { return "<td class=\"text\">\(text)</td>" }
      if let value { return "<td data-v=\"\(value, digits: 0)\">\(text)</td>" }
      return "<td>\(text)</td>"
    }
    return "<tr id=\"t\(index)\"><th scope=\"row\">\(tensor.name.text)</th>\(cells)</tr>\n"
  }
}
