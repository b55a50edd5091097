import CommandSupport

/// A table of tensors that can be sorted by any column, and filtered by names and by one of its columns.
///
/// Without the script it is a table.
struct DataTable {
  /// A heading.
  struct Column {
    let title: String
    var isText = false
  }

  /// A cell: what it says, and the number to sort by where that is not it.
  struct Cell {
    let markup: Markup
    var value: Double?

    init(_ markup: Markup, _ value: Double? = nil) {
      (self.markup, self.value) = (markup, value)
    }
  }

  /// A row.
  struct Row {
    /// What links lead to.
    let id: String
    let name: Markup
    let cells: [Cell]
  }

  /// What links lead to.
  let id: String
  let label: String
  /// The columns beside the names.
  let columns: [Column]
  let rows: [Row]
  /// What can be chosen, by the columns' places.
  let choices: [Int: [String]]

  var markup: Markup {
    let heads = columns.map { column -> Markup in
      "<th scope=\"col\"\(column.isText ? " class=\"text\"" as Markup : "")>\(column.title)</th>"
    }
    return """
      \(controls)<div class="scroll" tabindex="0" role="group" aria-label="\(label)">\
      <table class="numbers sortable" id="\(id)">
      <thead><tr><th scope="col" class="text">Name</th>\(heads)</tr></thead>
      <tbody>
      \(rows.map(row))</tbody></table></div>

      """
  }

  /// They do nothing without the script, and so are hidden.
  private var controls: Markup {
    let selects = choices.sorted { $0.key < $1.key }.filter { $0.value.count > 1 }
      .map { place, values -> Markup in
        let options = values.map { "<option>\($0)</option>" as Markup }
        return """
          <label for="\(id)-choice-\(place)">\(columns[place].title)</label> \
          <select id="\(id)-choice-\(place)" data-column="\(place + 1)">\
          <option value="">all</option>\(options)</select>
          """
      }
    return """
      <p class="filter" data-table="\(id)" hidden><label for="\(id)-filter">Filter</label> \
      <input type="search" id="\(id)-filter" autocomplete="off" placeholder="attn, or *.0.*.weight"> \
      \(selects) <output for="\(id)-filter"></output></p>

      """
  }

  private func row(_ row: Row) -> Markup {
    let cells = zip(columns, row.cells).map { column, cell -> Markup in
      if column.isText { return "<td class=\"text\">\(cell.markup)</td>" }
      guard let value = cell.value else { return "<td>\(cell.markup)</td>" }
      return "<td data-v=\"\(value.isFinite ? "\(value)" : "Infinity")\">\(cell.markup)</td>"
    }
    return "<tr id=\"\(row.id)\"><th scope=\"row\">\(row.name)</th>\(cells)</tr>\n"
  }
}

/// A name in a table: of very long ones the middle is left out.
func listed(_ name: String) -> String { shortened(name, to: 240) }
