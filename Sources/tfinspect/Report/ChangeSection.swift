import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// Every change, one by one.
struct ChangeSection {
  let comparison: ComparisonReport

  /// Changes that are listed, at most.
  private static let most = 2000

  /// What leads to a change's row, if it has one.
  static func link(_ index: Int) -> Markup {
    index < most ? " href=\"#c\(index)\"" : ""
  }

  var section: Section? {
    let changes = comparison.diff.changes
    if changes.isEmpty { return nil }
    let rows = changes.indices.prefix(Self.most).map { row($0) }
    let rest = changes.count - rows.count
    let more: Markup =
      rest > 0 ? "<p>The first \(rows.count); tfinspect diff has \(rest) more.</p>" : ""
    let table = DataTable(
      id: "change-table", label: "Table of changes", columns: columns, rows: rows,
      choices: [0: kinds, 1: types])
    return Section(id: "changes", title: "Changes", body: more + table.markup)
  }

  private let columns: [DataTable.Column] = [
    .init(title: "Change", isText: true),
    .init(title: "Type", isText: true),
    .init(title: "Shape", isText: true), .init(title: "‖b − a‖ / ‖a‖"),
    .init(title: "Largest |b − a|"), .init(title: "Cosine"), .init(title: "Differing"),
    .init(title: "Rank of b − a"), .init(title: "How", isText: true),
  ]

  private var kinds: [String] {
    TensorChange.Kind.allCases.filter { kind in
      comparison.diff.changes.prefix(Self.most).contains { $0.kind == kind }
    }.map(\.word)
  }

  private var types: [String] {
    Set(comparison.diff.changes.prefix(Self.most).map { type($0) }).sorted()
  }

  private func type(_ change: TensorChange) -> String {
    let both = [change.a, change.b].compactMap { $0?.dtype.name }
    return both.first == both.last ? both.first ?? "" : both.joined(separator: " → ")
  }

  private func shape(_ change: TensorChange) -> String {
    let both = [change.a, change.b].compactMap { $0.map { pictured(shape: $0.shape) } }
    return both.first == both.last ? both.first ?? "" : both.joined(separator: " → ")
  }

  private func row(_ index: Int) -> DataTable.Row {
    let change = comparison.diff.changes[index]
    let difference = change.difference
    func number(_ value: Double?, digits: Int = 3) -> DataTable.Cell {
      guard let value else { return DataTable.Cell("–") }
      return value.isFinite
        ? DataTable.Cell("\(describe(number: value, digits: digits))", value)
        : DataTable.Cell("<b class=\"bad\">not finite</b>", value)
    }
    let rank = comparison.ranks.matrices.first { $0.index == index }
    return DataTable.Row(
      id: "c\(index)", name: names(change),
      cells: [
        DataTable.Cell("\(change.kind.word)"), DataTable.Cell("\(type(change))"),
        DataTable.Cell("\(shape(change))"), number(difference?.relativeNorm),
        number(difference?.largest), number(difference?.cosine, digits: 6),
        difference.map {
          DataTable.Cell(
            "\(describe(count: $0.differing)) of \(describe(count: $0.count))",
            Double($0.differing) / Double(max(1, $0.count)))
        } ?? DataTable.Cell("–"),
        rank.map { DataTable.Cell("\($0.text)", Double($0.rank)) } ?? DataTable.Cell("–"),
        DataTable.Cell("\(how(change))"),
      ])
  }

  private func names(_ change: TensorChange) -> Markup {
    let both = [change.a, change.b].compactMap { $0.map { listed($0.name.text) } }
    return both.first == both.last
      ? "\(both.first ?? "")" : "\(both.joined(separator: " → "))"
  }

  /// What the columns do not say.
  private func how(_ change: TensorChange) -> String {
    guard change.kind == .changed, let difference = change.difference, !difference.isOnlyBits else {
      return change.details
    }
    let lost = difference.incomparable
    guard lost > 0 else { return "" }
    let place = difference.largestIndex.map { index in
      ", the first at \(describe(shape: position(of: index, in: change.b?.shape ?? [])))"
    }
    return "\(lost) finite on one side only\(place ?? ""); the others by"
      + " \(describe(number: difference.largestFinite, digits: 3)) at most"
  }
}

/// The index of an element in C order; of complex numbers, the parts are counted.
private func position(of element: Int, in shape: [Int]) -> [Int] {
  var (rest, index) = (element, [Int]())
  for extent in shape.reversed() where extent > 0 {
    index.insert(rest % extent, at: 0)
    rest /= extent
  }
  return index
}

extension DifferenceRanks.Matrix {
  /// `8 of 768`, `≥80 of 768`.
  var text: String { "\(count) of \(shortSide)" }
  /// `8`, `≥80`.
  var count: String { isAtLeast ? "≥\(rank)" : "\(rank)" }
}
