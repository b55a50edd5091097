import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// The differences of two checkpoints as text and as JSON.
struct DiffReport {
  let diff: CheckpointDiff

  // MARK: Text

  /// A line for each change, or two where the terminal is narrow, and a summary.
  var lines: [String] {
    var table = Table([("", .left), ("", .left), ("", .left)])
    for change in diff.changes { table.add([change.names, change.types, change.details]) }
    return configLines + marked(table) + [summary]
  }

  /// The lines of a table that has a row for each change, with the changes' letters.
  private func marked(_ table: Table) -> [String] {
    let wide = table.lines(headings: false)
    guard let width = outputWidth, wide.contains(where: { $0.count + 2 > width }) else {
      return zip(diff.changes, wide).map { "\($0.mark) \($1)" }
    }
    // Stacked, the lines that belong to a name are indented.
    var marks = diff.changes.map(\.mark)[...]
    return table.lines(headings: false, width: 0).map { line in
      line.hasPrefix("  ") ? "  " + line : "\(marks.popFirst() ?? " ") \(line)"
    }
  }

  /// The names of what differs, as they are in B, or in A if B has none.
  var names: [String] {
    diff.changes.map { escaped(($0.b ?? $0.a)?.name.text ?? "") }
  }

  /// How much each tensor differs, as bars, and a summary.
  var statistics: [String] {
    var table = Table([("", .left), ("", .right), ("", .left)])
    for change in diff.changes {
      let relative = change.difference?.relativeNorm
      table.add([
        change.names, relative.map { describe(number: $0, digits: 2) } ?? "",
        relative.map { bar($0) } ?? change.details,
      ])
    }
    return configLines + marked(table) + [summary]
  }

  /// A bar from 1e-8, one mark, to 1 and more, sixteen.
  private func bar(_ relative: Double) -> String {
    guard relative > 0 else { return "" }
    var (marks, limit) = (1, 1e-8)
    while marks < 16, relative > limit {
      marks += 1
      limit *= 3.4145  // 10^(8/15)
    }
    return String(repeating: "#", count: marks)
  }

  private var configLines: [String] {
    diff.configDifferences.map { styled("~", .yellow) + " config " + escaped($0) }
  }

  /// `36 weights identical, 2 changed, 1 renamed`.
  private var summary: String {
    let noun = diff.basis == .meaning ? "weight" : "tensor"
    let counts = TensorChange.Kind.allCases.compactMap { kind in
      let count = diff.changes.count { $0.kind == kind }
      return count == 0 ? nil : "\(count) \(kind.word)"
    }
    return (["\(describe(diff.identical, noun)) identical"] + counts).joined(separator: ", ")
  }

  // MARK: JSON

  var json: JSONValue {
    [
      "schema": "tfinspect.diff/1", "equal": .bool(diff.isEmpty),
      "compared_by": .string(diff.basis.rawValue), "identical": .number(diff.identical),
      "config": .array(diff.configDifferences.map { .string($0) }),
      "changes": .array(diff.changes.map(\.json)),
    ]
  }
}

extension TensorChange.Kind {
  /// What happened, as a participle.
  var word: String {
    switch self {
    case .added: "only in B"
    case .removed: "only in A"
    case .changed: "changed"
    case .cast: "cast"
    case .rearranged: "rearranged"
    case .renamed: "renamed"
    }
  }

  fileprivate var style: Style {
    switch self {
    case .added: .green
    case .removed: .red
    case .changed: .yellow
    case .cast, .rearranged, .renamed: .cyan
    }
  }
}

extension TensorChange {
  fileprivate var mark: String { styled(kind.rawValue, kind.style) }

  /// The name, or both.
  var names: String {
    let both = [a, b].compactMap { $0.map { escaped($0.name.text) } }
    return both.first == both.last ? both.first ?? "" : both.joined(separator: " → ")
  }

  /// Type and shape, or what they were and are.
  var types: String {
    let sides = [a, b].compactMap(\.self)
    func joined(_ texts: [String]) -> String {
      texts.first == texts.last ? texts.first ?? "" : texts.joined(separator: " → ")
    }
    return joined(sides.map(\.dtype.name)) + " " + joined(sides.map { describe(shape: $0.shape) })
  }

  /// What is to be said about the elements.
  var details: String {
    var parts: [String] = []
    if let copyOf { parts.append("a copy of \(escaped(copyOf.text))") }
    if let rearrangement { parts.append(rearrangement.text) }
    if kind == .cast { parts.append(castText) }
    if kind == .changed, let difference { parts.append(difference.text) }
    return parts.joined(separator: ", ")
  }

  private var castText: String {
    guard let difference else { return "rounded to nearest" }
    if difference.differing == 0 { return "exactly" }
    return "rounded to nearest, \(difference.differing) of \(difference.count) changed,"
      + " rel \(describe(number: difference.relative, digits: 2))"
  }

  fileprivate var json: JSONValue {
    var members: [(String, JSONValue)] = [
      ("kind", .string(kind.name)), ("a", side(a)), ("b", side(b)),
      ("arrangement", rearrangement.map { .string($0.text) } ?? .null),
      ("copy_of", copyOf.map { .string($0.text) } ?? .null),
    ]
    if let difference { members += difference.members }
    return .object(members.map { JSONValue.Member($0.0, $0.1) })
  }

  private func side(_ side: Side?) -> JSONValue {
    guard let side else { return .null }
    return [
      "name": .string(side.name.text), "dtype": .string(side.dtype.name),
      "shape": side.shape.json,
    ]
  }
}

extension TensorChange.Kind {
  fileprivate var name: String {
    switch self {
    case .added: "added"
    case .removed: "removed"
    case .changed: "changed"
    case .cast: "cast"
    case .rearranged: "rearranged"
    case .renamed: "renamed"
    }
  }
}

extension ElementDifference {
  fileprivate var text: String {
    if isOnlyBits {
      let parts = [
        zeroSigns > 0 ? describe(zeroSigns, "zero") + " of the other sign" : nil,
        payloads > 0 ? "\(payloads) NaN of other bits" : nil,
      ]
      return parts.compactMap(\.self).joined(separator: ", ")
    }
    func short(_ value: Double) -> String { describe(number: value, digits: 3) }
    var parts = ["max \(short(largest))"]
    if largest.isFinite { parts += ["mean \(short(mean))", "rel \(short(relative))"] }
    if let cosine { parts.append("cos \(describe(number: cosine, digits: 6))") }
    if let ulps, ulps < 1000 { parts.append("ulp \(ulps)") }
    parts.append("\(differing) of \(count)")
    if incomparable > 0 { parts.append("\(incomparable) not finite in A or B") }
    return parts.joined(separator: "  ")
  }

  fileprivate var members: [(String, JSONValue)] {
    [
      ("elements", .number(count)), ("differing", .number(differing)),
      ("first", first.map { .number($0) } ?? .null), ("max", .number(largest)),
      ("max_at", largestIndex.map { .number($0) } ?? .null), ("mean", .number(mean)),
      ("relative", .number(relative)), ("relative_norm", .number(relativeNorm)),
      ("cosine", cosine.map { .number($0) } ?? .null),
      ("ulp", ulps.map { .uint($0) } ?? .null), ("zero_signs", .number(zeroSigns)),
      ("nan_payloads", .number(payloads)), ("incomparable", .number(incomparable)),
    ]
  }
}
