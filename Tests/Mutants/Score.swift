/// The table of what was planted and what became of it.
public struct Score: Sendable {
  /// A row: one kind of mistake.
  public struct Row: Sendable {
    public let kind: String
    public let isListed: Bool
    public var planted = 0
    public var refused = 0
    /// Equivalent: no output can show them, for a known reason.
    public var equivalent = 0
    public var caughtByPair = 0
    public var explainedByPair = 0
    /// How many change an output that a golden holds.
    public var visibleInGolden = 0
    public var caughtByGolden = 0
    public var placed = 0
    /// How many of those a golden holds enough to explain, and how many were explained rightly.
    public var explicable = 0
    public var explainedByGolden = 0
    /// By common gate, how many that change outputs it lets pass.
    public var passed: [String: Int] = [:]
    public var visibleInOutputs = 0
  }

  /// The rows, in the order of planting.
  public private(set) var rows: [Row] = []
  /// What should not be: a mistake missed, a change that outputs do not show without a reason.
  public private(set) var faults: [String] = []
  /// What was caught and not explained by the right cause.
  public private(set) var unexplained: [String] = []

  public init() {}

  /// Counts an outcome.
  public mutating func add(_ outcome: Outcome) {
    let mutant = outcome.mutant
    let index = rows.firstIndex { $0.kind == mutant.kind } ?? rows.count
    if index == rows.count { rows.append(Row(kind: mutant.kind, isListed: mutant.isListed)) }
    let name = "\(outcome.subject): \(mutant.kind), \(mutant.place)"
    rows[index].planted += 1
    if outcome.isRefused {
      rows[index].refused += 1
      return
    }
    if outcome.isCaughtByPair {
      rows[index].caughtByPair += 1
    } else {
      faults.append("\(name): the pair does not differ")
    }
    if outcome.isExplainedByPair {
      rows[index].explainedByPair += 1
    } else {
      unexplained.append("\(name): pair: \(outcome.pairLines.joined(separator: " | "))")
    }
    addOutputs(outcome, name, index)
  }

  private mutating func addOutputs(_ outcome: Outcome, _ name: String, _ index: Int) {
    if outcome.showsOnProbe {
      rows[index].visibleInOutputs += 1
      for gate in outcome.passed { rows[index].passed[gate, default: 0] += 1 }
      if let reason = outcome.mutant.equivalence {
        faults.append("\(name): shows, though \(reason)")
      }
    } else if outcome.equivalence != nil {
      rows[index].equivalent += 1
    } else {
      faults.append("\(name): shows in no output, for no known reason")
    }
    guard outcome.showsInGolden else {
      if outcome.isCaughtByGolden, !outcome.showsOnProbe {
        faults.append("\(name): the golden differs for no reason")
      }
      return
    }
    rows[index].visibleInGolden += 1
    if outcome.isCaughtByGolden {
      rows[index].caughtByGolden += 1
    } else {
      faults.append("\(name): the golden does not differ")
    }
    if outcome.isPlaced { rows[index].placed += 1 }
    guard !outcome.mutant.golden.isEmpty else { return }
    rows[index].explicable += 1
    if outcome.isExplainedByGolden {
      rows[index].explainedByGolden += 1
    } else {
      unexplained.append("\(name): golden: \(outcome.goldenLines.joined(separator: " | "))")
    }
  }

  /// The sum of all rows, or of the listed ones.
  public func total(listed: Bool? = nil) -> Row {
    var total = Row(kind: "all", isListed: true)
    for row in rows where listed == nil || row.isListed == listed {
      total.planted += row.planted
      total.refused += row.refused
      total.equivalent += row.equivalent
      total.caughtByPair += row.caughtByPair
      total.explainedByPair += row.explainedByPair
      total.visibleInGolden += row.visibleInGolden
      total.caughtByGolden += row.caughtByGolden
      total.placed += row.placed
      total.explicable += row.explicable
      total.explainedByGolden += row.explainedByGolden
      total.visibleInOutputs += row.visibleInOutputs
      total.passed.merge(row.passed, uniquingKeysWith: +)
    }
    return total
  }
}
