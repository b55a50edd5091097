import CommandSupport
import Kernels
import TensorCore
import TransformerKit

/// The differences of two checkpoints as text and as JSON.
struct DiffReport {
  let diff: CheckpointDiff
  /// What is told of B − A, if it is nothing but matrices of low rank.
  var addedRank: AddedRank?
  /// How many tensors A and B store.
  let stored: (Int, Int)
  var order = Diff.Order.change
  /// How many changes of each kind are listed; all if `nil`.
  var limit: Int?
  /// What differs in the tokenizers.
  var tokenizer: [String] = []

  // MARK: Text

  /// A line for each change, or more where the terminal is narrow, and a summary.
  var lines: [String] {
    listing([.left, .left, .left], by: \.relative) { [$0.names, $0.types, $0.details] }
  }

  /// How much each tensor differs, as bars, and a summary.
  var statistics: [String] {
    listing([.left, .right, .left], by: \.relativeNorm) { change in
      let relative = change.difference?.relativeNorm
      return [
        change.names, relative.map { describe(number: $0, digits: 2) } ?? "",
        relative.map { bar($0) } ?? change.details,
      ]
    }
  }

  /// The sums by layer, and a summary.
  var layerLines: [String] { configLines + layerTable + summary }

  /// The names of what differs, as they are in B, or in A if B has none; of the config's facts behind `config`.
  var names: [String] {
    diff.configDifferences.map { "config " + escaped(String($0.prefix { $0 != ":" })) }
      + (tokenizer.isEmpty ? [] : ["tokenizer"])
      + sorted(by: \.relative).map { escaped(($0.b ?? $0.a)?.label.text ?? "") }
  }

  private func listing(
    _ alignments: [Table.Alignment], by measure: KeyPath<ElementDifference, Double>,
    _ cells: (TensorChange) -> [String]
  ) -> [String] {
    let shown = shown(by: measure)
    var table = Table(alignments.map { ("", $0) })
    for change in shown { table.add(cells(change)) }
    let lines = configLines + marked(table, shown)
    guard shown.count < diff.changes.count else { return lines + summary }
    // Sums that are as long as the list say nothing more.
    let sums = layers.count * 2 <= diff.changes.count ? [""] + layerTable + [""] : []
    return lines + moreLines(shown) + sums + summary
  }

  /// The lines of a table that has a row for each change, with the changes' letters.
  private func marked(_ table: Table, _ changes: [TensorChange]) -> [String] {
    let wide = table.lines(headings: false, width: nil)
    guard let width = outputWidth, wide.contains(where: { $0.count + 2 > width }) else {
      return zip(changes, wide).map { "\($0.mark) \($1)" }
    }
    // Stacked, the lines that belong to a name are indented.
    var marks = changes.map(\.mark)[...]
    return table.lines(headings: false, width: width - 2).map { line in
      line.hasPrefix("  ") ? "  " + line : "\(marks.popFirst() ?? " ") \(line)"
    }
  }

  /// `39 more changed, 2 more renamed (--all)`.
  private func moreLines(_ shown: [TensorChange]) -> [String] {
    let counts = TensorChange.Kind.bySeverity.compactMap { kind in
      let count = diff.changes.count { $0.kind == kind } - shown.count { $0.kind == kind }
      return count == 0 ? nil : "\(count) more \(kind.word)"
    }
    return wrapped("  " + counts.joined(separator: ", ") + " (--all)", width: outputWidth)
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
    let facts = diff.configDifferences.map { "config " + escaped($0) }
    return (facts + tokenizer.map { "tokenizer: " + $0 }).flatMap { difference in
      let lines = wrapped(difference, width: outputWidth.map { $0 - 4 })
      return [styled("~", .yellow) + " " + lines[0]] + lines.dropFirst().map { "    " + $0 }
    }
  }

  private var layerTable: [String] {
    var table = Table([("LAYER", .left), ("", .left), ("REL", .right), ("MAX", .right)])
    for layer in layers {
      table.add([
        escaped(layer.name), layer.counts,
        layer.difference.map { describe(number: $0.relative, digits: 3) } ?? "",
        layer.difference.map { describe(number: $0.largest, digits: 3) } ?? "",
      ])
    }
    return table.lines()
  }

  /// `all that changed is as a merged LoRA of rank 16 leaves it: 32 q_proj, 32 v_proj`.
  private var rankLines: [String] {
    guard let addedRank else { return [] }
    let (least, most) = (addedRank.ranks.lowerBound, addedRank.ranks.upperBound)
    let ranks = least == most ? "rank \(least)" : "ranks \(least) to \(most)"
    let modules = addedRank.modules.map { "\($0.count) \(escaped($0.name))" }
    let hidden =
      addedRank.hidden == 0 ? "" : "; \(addedRank.hidden) more by no more than rounding"
    return wrapped(
      "all that changed is as a merged LoRA of \(ranks) leaves it: \(modules.joined(separator: ", "))"
        + hidden, width: outputWidth)
  }

  /// `36 weights identical, 2 changed, 1 renamed`, and what is told of ranks.
  var summary: [String] { rankLines + unreadLines + countLines }

  /// `not read: hf://a/b/x.safetensors (12 tensors, 1.2 MB), which is in B by the hub's SHA-256`.
  private var unreadLines: [String] {
    diff.unread.flatMap { file in
      wrapped(
        "not read: \(escaped(file.name)) (\(describe(file.tensors, "tensor")), \(describe(bytes: file.byteCount))),"
          + " the same in B by the hub's SHA-256", width: outputWidth)
    }
  }

  /// `36 weights identical, 2 changed, 1 renamed`.
  var countLines: [String] {
    let noun = diff.basis == .meaning ? "weight" : "tensor"
    let counts = TensorChange.Kind.allCases.compactMap { kind in
      let count = diff.changes.count { $0.kind == kind }
      return count == 0 ? nil : "\(count) \(kind.word)"
    }
    let tolerated = diff.tolerated == 0 ? [] : ["\(diff.tolerated) within the tolerance"]
    let facts = diff.configDifferences.count
    let config = facts == 0 ? [] : [describe(facts, "difference") + " of the config"]
    let tokens =
      tokenizer.isEmpty ? [] : ["\(describe(tokenizer.count, "difference")) of the tokenizer"]
    let text =
      ["\(describe(diff.identical, noun)) identical"] + tolerated + counts + config + tokens
    let count = diff.identical + diff.tolerated + diff.changes.count
    let isOne = diff.basis == .name || stored == (count, count)
    let tensors = isOne ? "" : " (\(describe(stored.0, "tensor")) in A, \(stored.1) in B)"
    return wrapped(text.joined(separator: ", ") + tensors, width: outputWidth)
  }

  // MARK: Order

  /// The changes in the order that was asked for.
  ///
  /// - Parameter measure: how large a change is; of other shapes, or not finite, it is infinitely large.
  private func sorted(by measure: KeyPath<ElementDifference, Double>) -> [TensorChange] {
    func size(_ change: TensorChange) -> Double {
      change.difference?[keyPath: measure] ?? (change.kind == .changed ? .infinity : 0)
    }
    switch order {
    case .offset: return diff.changes
    case .name: return diff.changes.sorted { isNaturallyBefore($0.names, $1.names) }
    case .change:
      return diff.changes.map { ($0, size($0)) }.enumerated().sorted { x, y in
        let (a, b) = (x.element, y.element)
        if a.0.kind != b.0.kind { return a.0.kind.severity < b.0.kind.severity }
        return a.1 == b.1 ? x.offset < y.offset : a.1 > b.1
      }.map(\.element.0)
    }
  }

  /// Those of them that are listed: of each kind the first.
  private func shown(by measure: KeyPath<ElementDifference, Double>) -> [TensorChange] {
    let sorted = sorted(by: measure)
    guard let limit else { return sorted }
    var counts: [TensorChange.Kind: Int] = [:]
    return sorted.filter { change in
      counts[change.kind, default: 0] += 1
      return counts[change.kind, default: 0] <= limit
    }
  }

  /// What was changed in a layer, or outside of all.
  private struct Layer {
    let name: String
    let changes: [TensorChange]

    /// `12 changed, 1 only in B`.
    var counts: String {
      TensorChange.Kind.bySeverity.compactMap { kind in
        let count = changes.count { $0.kind == kind }
        return count == 0 ? nil : "\(count) \(kind.word)"
      }.joined(separator: ", ")
    }

    /// The differences of all elements that stand at the same places.
    var difference: ElementDifference? {
      let all = changes.compactMap(\.difference)
      guard var sum = all.first else { return nil }
      for difference in all.dropFirst() { sum.merge(difference) }
      return sum
    }
  }

  private var layers: [Layer] {
    // Of one layer some tensors go by their names in the file, and parts of others by their paths.
    func layer(_ change: TensorChange) -> String { (change.b ?? change.a)?.name.layer ?? "" }
    var names: [String: String] = [:]
    for change in diff.changes {
      guard let stored = (change.b ?? change.a)?.stored?.layer else { continue }
      names[layer(change)] = names[layer(change)] ?? stored
    }
    let groups = Dictionary(grouping: diff.changes) { names[layer($0)] ?? layer($0) }
    return groups.map { Layer(name: $0, changes: $1) }
      .sorted { isNaturallyBefore($0.name, $1.name) }
  }

  // MARK: JSON

  var json: JSONValue {
    let layers: [JSONValue] = layers.map { layer in
      [
        "name": .string(layer.name), "changes": .number(layer.changes.count),
        "relative": layer.difference.map { .number($0.relative) } ?? .null,
        "relative_norm": layer.difference.map { .number($0.relativeNorm) } ?? .null,
        "max": layer.difference.map { .number($0.largest) } ?? .null,
      ]
    }
    let object: JSONValue = [
      "schema": "tfinspect.diff/1", "equal": .bool(diff.isEmpty && tokenizer.isEmpty),
      "compared_by": .string(diff.basis.rawValue), "identical": .number(diff.identical),
      "tolerated": .number(diff.tolerated),
      "config": .array(diff.configDifferences.map { .string($0) }),
      "tokenizer": .array(tokenizer.map { .string($0) }),
      "changes": .array(diff.changes.map(\.json)), "layers": .array(layers),
      "added_rank": addedRank.map(json) ?? .null,
    ]
    return .object((object.members ?? []) + diff.unread.members)
  }

  private func json(_ rank: AddedRank) -> JSONValue {
    [
      "lowest": .number(rank.ranks.lowerBound), "highest": .number(rank.ranks.upperBound),
      "matrices": .number(rank.count), "hidden": .number(rank.hidden),
      "modules": .array(
        rank.modules.map { ["name": .string($0.name), "matrices": .number($0.count)] }),
    ]
  }
}

extension TensorChange.Kind {
  /// From those that change the most.
  fileprivate static let bySeverity: [Self] = [
    .changed, .removed, .added, .rearranged, .cast, .renamed,
  ]

  fileprivate var severity: Int { Self.bySeverity.firstIndex(of: self) ?? 0 }
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
    // Where both files have the same name for it, that is the one.
    let isSame = a.flatMap { a in b.map { a.stored == $0.stored && a.name == $0.name } } ?? true
    let both = [a, b].compactMap { $0.map { escaped((isSame ? $0.label : $0.name).text) } }
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
    if kind == .cast || kind == .rearranged && a?.dtype != b?.dtype { parts.append(castText) }
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
      "name": .string(side.name.text), "tensor": side.stored.map { .string($0.text) } ?? .null,
      "dtype": .string(side.dtype.name), "shape": side.shape.json,
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

extension [UnreadFile] {
  /// What JSON says of them, only where there are some.
  var members: [JSONValue.Member] {
    if isEmpty { return [] }
    let files: [JSONValue] = map {
      [
        "file": .string($0.name), "sha256": .string($0.sha256), "tensors": .number($0.tensors),
        "bytes": .number($0.byteCount),
      ]
    }
    return [JSONValue.Member("not_read", .array(files))]
  }
}
