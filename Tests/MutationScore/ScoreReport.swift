import Mutants

/// The tables, as text or Markdown.
struct ScoreReport {
  let isMarkdown: Bool

  private static let columns = [
    "mistake", "planted", "refused", "no output shows", "pair: caught", "pair: explained",
    "golden: visible", "golden: caught", "golden: stage named", "golden: explained",
  ]

  /// A row for each architecture.
  func printTable(_ scores: [(name: String, score: Score)]) {
    print(isMarkdown ? "\n### Architectures\n" : "\narchitectures")
    var table = [["architecture"] + Self.columns.dropFirst()]
    for (name, score) in scores {
      var row = cells(score.total())
      row[0] = name
      table.append(row)
    }
    printTable(table)
  }

  /// A row for each mistake.
  func printTable(of score: Score, titled title: String) {
    print(isMarkdown ? "\n### \(title)\n" : "\n\(title)")
    var table = [Self.columns]
    for row in score.rows { table.append(cells(row)) }
    table.append(cells(score.total()))
    printTable(table)
  }

  /// What weights show of conventions.
  func printTable(of score: ConventionScore) {
    print(isMarkdown ? "\n### Conventions\n" : "\nconventions")
    var table = [["mistake", "planted", "named"]]
    for row in score.rows { table.append([row.mistake, "\(row.planted)", "\(row.named)"]) }
    printTable(table)
    print(
      "\(score.clean) sound models, \(score.trained) of them trained, \(score.alarms.count) false alarms"
    )
    for alarm in score.alarms { print("FAULT \(alarm)") }
  }

  private func cells(_ row: Score.Row) -> [String] {
    let files = row.planted - row.refused
    return [
      row.kind, "\(row.planted)", "\(row.refused)", "\(row.equivalent)",
      "\(row.caughtByPair)/\(files)", "\(row.explainedByPair)/\(files)", "\(row.visibleInGolden)",
      "\(row.caughtByGolden)/\(row.visibleInGolden)", "\(row.placed)/\(row.visibleInGolden)",
      row.explicable == 0 ? "–" : "\(row.explainedByGolden)/\(row.explicable)",
    ]
  }

  /// The sums, and what the gates of other tools say to the same mistakes.
  func printSummary(_ scores: [Score], clean: Int, alarms: [String]) {
    print(isMarkdown ? "\n### All\n" : "\nall")
    func sum(_ value: (Score.Row) -> Int, listed: Bool? = nil) -> Int {
      scores.reduce(0) { $0 + value($1.total(listed: listed)) }
    }
    let visible = sum(\.visibleInOutputs)
    var table = [["gate", "mistakes that change outputs", "let pass", "caught"]]
    let names = Set(scores.flatMap { $0.total().passed.keys }).sorted()
    for name in names {
      let passed = sum { $0.passed[name] ?? 0 }
      table.append([name, "\(visible)", "\(passed)", percent(visible - passed, visible)])
    }
    let (golden, caught) = (sum(\.visibleInGolden), sum(\.caughtByGolden))
    table.append(["tfverify golden", "\(golden)", "\(golden - caught)", percent(caught, golden)])
    let files = sum(\.planted) - sum(\.refused)
    let pair = sum(\.caughtByPair)
    table.append([
      "tfverify A B", "\(files), all that change a weight", "\(files - pair)", percent(pair, files),
    ])
    printTable(table)
    print(isMarkdown ? "" : "")
    let listed = sum(\.planted, listed: true) - sum(\.refused, listed: true)
    let explained = sum(\.explainedByPair, listed: true)
    print(
      "Listed mistakes explained by `tfverify A B`: \(explained) of \(listed), \(percent(explained, listed))."
    )
    let explicable = sum(\.explicable, listed: true)
    let solved = sum(\.explainedByGolden, listed: true)
    print(
      "By `tfverify golden`, where outputs hold enough: \(solved) of \(explicable), \(percent(solved, explicable))."
    )
    print(
      "Clean models in other containers, dialects, shards, types, threads: \(clean), false alarms \(alarms.count)."
    )
  }

  private func percent(_ part: Int, _ whole: Int) -> String {
    guard whole > 0 else { return "–" }
    let tenths = (part * 1000 + (part == whole ? 0 : 0)) / whole
    return "\(tenths / 10).\(tenths % 10) %"
  }

  private func printTable(_ rows: [[String]]) {
    if isMarkdown {
      for (index, row) in rows.enumerated() {
        print("| " + row.joined(separator: " | ") + " |")
        if index == 0 { print("|" + row.map { _ in "---|" }.joined()) }
      }
      return
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      print(
        zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
          .joined(separator: "  "))
    }
  }
}
