/// A table for people: aligned columns under capital headings.
public struct Table {
  /// How a column is aligned.
  public enum Alignment: Sendable {
    case left
    case right
  }

  private let headings: [String]
  private let alignments: [Alignment]
  private var rows: [[String]] = []

  /// A table with these columns.
  public init(_ columns: [(heading: String, alignment: Alignment)]) {
    headings = columns.map(\.heading)
    alignments = columns.map(\.alignment)
  }

  /// Adds a row with a cell for each column.
  public mutating func add(_ cells: [String]) {
    precondition(cells.count == headings.count)
    rows.append(cells)
  }

  /// Adds a row of a first cell and a remark, which goes over all other columns.
  public mutating func add(_ name: String, remark: String) {
    precondition(headings.count > 1)
    rows.append([name, remark])
  }

  /// Whether there are no rows.
  public var isEmpty: Bool { rows.isEmpty }

  /// The lines, with or without the headings.
  ///
  /// - Parameters:
  ///   - isHeaded: whether the headings are printed.
  ///   - width: the characters that a line should have at most. Where that is not enough, the first
  ///     column has lines of its own, and the others stand indented under it, in as many lines as they
  ///     need. A name is never cut.
  public func lines(headings isHeaded: Bool = true, width: Int? = outputWidth) -> [String] {
    let all = (isHeaded ? [headings] : []) + rows
    let widths = widths(of: all)
    guard let width, self.width(headings: isHeaded) > width else {
      return all.map { line($0, widths.indices, widths) }
    }
    let groups = groups(widths, width: width - 2)
    return all.flatMap { row in
      let rest = groups.flatMap { columns in
        let text = line(row, columns, widths)
        return columns.count > 1 ? [text] : wrapped(text, width: width - 2)
      }
      return [row[0]] + rest.filter { !$0.isEmpty }.map { "  " + $0 }
    }.filter { !$0.isEmpty }
  }

  /// The characters that the longest line can have.
  public func width(headings isHeaded: Bool = true) -> Int {
    let all = (isHeaded ? [headings] : []) + rows
    let widths = widths(of: all)
    let remarks = all.filter(isRemark).map { widths[0] + 2 + $0[1].count }
    return max(widths.reduce(0) { $0 + $1 + 2 } - 2, remarks.max() ?? 0)
  }

  private func isRemark(_ row: [String]) -> Bool { row.count < headings.count }

  private func widths(of rows: [[String]]) -> [Int] {
    headings.indices.map { column in
      rows.map { column > 0 && isRemark($0) ? 0 : $0[column].count }.max() ?? 0
    }
  }

  /// The columns after the first, as many together as fit on a line.
  private func groups(_ widths: [Int], width: Int) -> [Range<Int>] {
    var (groups, used) = ([Range<Int>](), 0)
    for column in widths.indices.dropFirst() {
      if let last = groups.last, used + 2 + widths[column] <= width {
        groups[groups.count - 1] = last.lowerBound..<column + 1
        used += 2 + widths[column]
      } else {
        groups.append(column..<column + 1)
        used = widths[column]
      }
    }
    return groups
  }

  private func line(_ row: [String], _ columns: Range<Int>, _ widths: [Int]) -> String {
    let cells = columns.filter(row.indices.contains).map { column in
      let padding = String(repeating: " ", count: max(0, widths[column] - row[column].count))
      return alignments[column] == .left ? row[column] + padding : padding + row[column]
    }
    return trimmed(cells.joined(separator: "  "))
  }
}

/// A text in lines of at most that many characters, divided at spaces; a longer word has a line of its own. What begins
/// with spaces stays indented.
///
/// - Parameter hanging: by how much all lines but the first are indented, where that is more.
public func wrapped(_ text: String, width: Int?, hanging: Int = 0) -> [String] {
  guard let width, text.count > width else { return [text] }
  let own = text.prefix { $0 == " " }.count
  let indentation = String(repeating: " ", count: max(own, hanging))
  var lines: [String] = []
  var (line, isEmpty) = (String(text.prefix(own)), true)
  var gap = ""
  for word in text.dropFirst(own).split(separator: " ", omittingEmptySubsequences: false) {
    // Columns keep what is between them, unless a line ends there.
    if word.isEmpty {
      gap += " "
      continue
    }
    if !isEmpty, line.count + gap.count + word.count > width {
      lines.append(line)
      (line, isEmpty) = (indentation, true)
    }
    line += (isEmpty ? "" : gap) + word
    (isEmpty, gap) = (false, " ")
  }
  return isEmpty ? lines : lines + [line]
}

/// Prints sentences, none of which is longer than a line of the terminal if it can be divided.
public func standardOutput(prose lines: [String]) {
  standardOutput(lines: lines.flatMap { wrapped($0, width: outputWidth, hanging: 2) })
}

private func trimmed(_ line: String) -> String {
  var line = line[...]
  while line.last == " " { line.removeLast() }
  return String(line)
}

/// Bytes for people: `90.9 MB`; decimal units, as disks and the Hugging Face Hub count.
public func describe(bytes: Int) -> String {
  var (value, unit) = (Double(bytes), 0)
  let units = ["B", "kB", "MB", "GB", "TB", "PB"]
  while value >= 999.5 && unit < units.count - 1 {
    value /= 1000
    unit += 1
  }
  return unit == 0 ? "\(bytes) B" : "\(threeDigits(value)) \(units[unit])"
}

/// A number of things: `1 tensor`, `2 tensors`.
public func describe(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

/// A count for people: `22.7 M`.
public func describe(count: Int) -> String {
  var (value, unit) = (Double(count), 0)
  let units = ["", " k", " M", " G", " T"]
  while value >= 999.5 && unit < units.count - 1 {
    value /= 1000
    unit += 1
  }
  return unit == 0 ? "\(count)" : threeDigits(value) + units[unit]
}

private func threeDigits(_ value: Double) -> String {
  let digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
  let scale = [1.0, 10, 100][digits]
  let whole = Int((value * scale).rounded())
  guard digits > 0 else { return "\(whole)" }
  let fraction = String(whole % Int(scale))
  let zeros = String(repeating: "0", count: digits - fraction.count)
  return "\(whole / Int(scale)).\(zeros)\(fraction)"
}

/// A small number for people: `2.2e-15`.
public func describe(error: Double) -> String {
  if error == 0 { return "0" }
  guard error.isFinite else { return error.isNaN ? "NaN" : "inf" }
  var exponent = 0
  var mantissa = error
  while mantissa >= 9.95 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa < 0.995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  let tenths = Int((mantissa * 10).rounded())
  return "\(tenths / 10).\(tenths % 10)e\(exponent)"
}
