import CommandSupport
import TensorCore
import TransformerKit

/// What a cast did to the tensors that it changed: the ten whose elements lost most, and the sums.
struct CastTable {
  private let casts: [CastLedger]
  private let limit: Int

  /// - Parameter all: whether every tensor is listed.
  init(_ casts: [CastLedger], all: Bool) {
    self.casts = casts.filter { $0.isLossy || $0.nan > 0 }
    limit = all ? .max : 10
  }

  /// What is counted, where anything is.
  private var counts: [(heading: String, count: (CastLedger) -> Int)] {
    let all: [(String, (CastLedger) -> Int)] = [
      ("ROUNDED", \.rounded), ("OVERFLOWED", \.overflowed), ("SUBNORMAL", \.becameSubnormal),
      ("ZERO", \.becameZero), ("NAN", \.nan),
    ]
    return all.filter { column in casts.contains { column.1($0) > 0 } }
  }

  var lines: [String] {
    if casts.isEmpty { return [] }
    let (counts, shown) = (counts, sorted.prefix(limit))
    var table = Table(
      [("TENSOR", .left)] + counts.map { ($0.heading, .right) } + [("RELATIVE", .right)])
    for cast in shown {
      table.add(
        [escaped(cast.name.text)] + counts.map { "\($0.count(cast))" }
          + [describe(error: cast.largestRelativeError)])
    }
    let rest = casts.count - shown.count
    if rest > 0 {
      let most = casts.map(\.largestRelativeError).max() ?? 0
      table.add(
        ["all \(casts.count), \(rest) more (-v)"]
          + counts.map { column in "\(casts.reduce(0) { $0 + column.count($1) })" }
          + [describe(error: most)])
    }
    return table.lines()
  }

  /// Those first of which elements became infinite, then by the largest relative error.
  private var sorted: [CastLedger] {
    casts.enumerated().sorted { x, y in
      let (a, b) = (x.element, y.element)
      if a.overflowed != b.overflowed { return a.overflowed > b.overflowed }
      if a.largestRelativeError == b.largestRelativeError { return x.offset < y.offset }
      return a.largestRelativeError > b.largestRelativeError
    }.map(\.element)
  }
}
