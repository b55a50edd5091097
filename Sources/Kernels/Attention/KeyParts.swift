/// Some queries, and the keys with which they have to do: ranges, which may come again.
struct AttentionPart: Sendable {
  let queries: Range<Int>
  let keys: [Range<Int>]
}

/// A part of the work: some queries of one head of a batch member.
struct AttentionTask: Sendable {
  let member: Int
  let head: Int
  let part: AttentionPart
}

/// The range of keys that a query reaches. From one query to the next neither of its bounds moves back.
struct KeyReach: Sendable {
  private let keys: Int
  private let firstQuery: Int
  private let before: Int?
  private let after: Int?
  private let chunk: (size: Int, start: Int)?

  init(_ plan: KeyPlan, of member: Int, keys: Int) {
    self.keys = keys
    firstQuery = plan.firstQuery
    (before, after) = (plan.before, plan.after)
    chunk = plan.chunks.map { ($0.size, $0.starts[$0.starts.count == 1 ? 0 : member]) }
  }

  func callAsFunction(_ query: Int) -> Range<Int> {
    let position = firstQuery + query
    var (low, high) = (0, keys)
    if let before { low = max(low, position - before) }
    // No more than what overflows nothing.
    if let after { high = min(high, position + min(after, keys) + 1) }
    if let chunk {
      let (quotient, rest) = (position - chunk.start).quotientAndRemainder(dividingBy: chunk.size)
      let start = chunk.start + (rest < 0 ? quotient - 1 : quotient) * chunk.size
      low = max(low, start)
      high = min(high, start + min(chunk.size, keys - start))
    }
    low = min(low, keys)
    return low..<max(low, high)
  }
}

extension KeyPlan {
  /// The work, cut as shapes and the plan alone say.
  func tasks(_ form: AttentionForm) -> [AttentionTask] {
    (0..<form.batch).flatMap { member in
      let member = (index: member, parts: parts(of: member, form))
      return (0..<form.heads).flatMap { head in
        member.parts[member.parts.count == 1 ? 0 : head].map {
          AttentionTask(member: member.index, head: head, part: $0)
        }
      }
    }
  }

  /// The parts of a batch member's queries: for each head, or for all alike.
  private func parts(of member: Int, _ form: AttentionForm) -> [[AttentionPart]] {
    let visible = AllowedKeys(self, of: member, keys: form.keys)
    if let blocks {
      return blocks.lists.map { list in
        blocks.cut(form.queries, from: firstQuery).map { queries in
          let block = (firstQuery + queries.lowerBound) / blocks.size
          let ranges = blocks.ranges(list[block], keys: form.keys)
          let seesNothing = ranges.allSatisfy { visible.hasNone(in: $0) }
          return AttentionPart(queries: queries, keys: seesNothing ? [0..<form.keys] : ranges)
        }
      }
    }
    let reach = KeyReach(self, of: member, keys: form.keys)
    return [
      pieces(of: form.queries, size: AttentionTile.queries).map { queries in
        let seesNothing = queries.contains { visible.hasNone(in: reach($0), for: $0) }
        return AttentionPart(
          queries: queries,
          keys: seesNothing
            ? [0..<form.keys]
            : visible.withGlobals(
              reach(queries.lowerBound).lowerBound..<reach(queries.upperBound - 1).upperBound))
      }
    ]
  }
}

extension KeyBlocks {
  /// The queries in pieces that lie in one block each.
  fileprivate func cut(_ queries: Int, from first: Int) -> [Range<Int>] {
    var (ranges, start) = ([Range<Int>](), 0)
    while start < queries {
      let left = size - (first + start) % size
      let end = min(queries, start + min(left, AttentionTile.queries))
      ranges.append(start..<end)
      start = end
    }
    return ranges
  }

  /// The keys of blocks, those side by side as one range.
  fileprivate func ranges(_ blocks: [Int], keys: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for block in blocks {
      let range = min(block * size, keys)..<min((block + 1) * size, keys)
      if let last = ranges.last, last.upperBound == range.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
      } else {
        ranges.append(range)
      }
    }
    return ranges
  }
}

/// The keys of a batch member that may be seen, and those that every query sees.
private struct AllowedKeys {
  /// How many allowed keys there are before each, and in all; `nil` if all are allowed, or each query has
  /// its own.
  private var before: [Int]?
  /// The allowed keys of each query, if each has its own.
  private var rows: (array: NDArray<Bool>, first: Int)?
  private var global: [Bool]?

  init(_ plan: KeyPlan, of member: Int, keys: Int) {
    global = plan.global.map { Array($0.row(member)) }
    guard let allowed = plan.allowed else { return }
    if allowed.shape.count == 3 {
      rows = (allowed, member * allowed.shape[1])
      return
    }
    var counts = [0]
    counts.reserveCapacity(keys + 1)
    for isAllowed in allowed.row(member) {
      counts.append(counts[counts.count - 1] + (isAllowed ? 1 : 0))
    }
    before = counts
  }

  /// Whether a query with that reach sees nothing.
  func hasNone(in reach: Range<Int>, for query: Int = 0) -> Bool {
    if let rows {
      let row = rows.array.row(rows.first + query)
      return !row.indices.contains { index in
        let key = index - row.startIndex
        return row[index] && (reach.contains(key) || global?[key] == true)
      }
    }
    if let before {
      if before[reach.upperBound] > before[reach.lowerBound] { return false }
      return
        !(global?.indices.contains { global?[$0] == true && before[$0 + 1] > before[$0] } ?? false)
    }
    return reach.isEmpty && global?.contains(true) != true
  }

  /// A reach, with the global keys before and behind it. What lies between two that are near is taken along.
  func withGlobals(_ reach: Range<Int>) -> [Range<Int>] {
    guard let global else { return [reach] }
    var ranges: [Range<Int>] = []
    for key in global.indices where global[key] || reach.contains(key) {
      if let last = ranges.last, key - last.upperBound < 64 {
        ranges[ranges.count - 1] = last.lowerBound..<key + 1
      } else {
        ranges.append(key..<key + 1)
      }
    }
    return ranges
  }
}
