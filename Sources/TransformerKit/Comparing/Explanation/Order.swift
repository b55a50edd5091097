import Models

/// The usual mistake that makes this order, where row `i` of B is row `order[i]` of A.
///
/// - Parameter heads: the model's heads, which are tried first: two heads in the wrong order look like one
///   of twice the size interleaved.
func cause(ofOrder order: [Int], axis: Int, heads: HeadOrder? = nil) -> Cause {
  let count = order.count
  let divisors = (2..<max(2, count)).filter { count.isMultiple(of: $0) } + [count]
  if let heads, divisors.contains(heads.size),
    let cause = headOrder(order, axis: axis, heads)
  {
    return cause
  }
  if let cause = divisors.lazy.compactMap({ pairOrder(order, axis: axis, HeadOrder(size: $0)) })
    .first
    ?? divisors.lazy.compactMap({ headOrder(order, axis: axis, HeadOrder(size: $0)) }).first
  {
    return cause
  }
  let block = divisors.reversed().first { $0 < count && isBlockwise(order, block: $0) } ?? 1
  let moved = stride(from: 0, to: count, by: block).filter { order[$0] != $0 }
  if moved.count == 2 {
    return .blocksExchanged(axis: axis, block: block, moved[0] / block, moved[1] / block)
  }
  return .permuted(axis: axis, block: block)
}

/// Heads of that size whose rotary pairs or whose axes are in the wrong order.
private func headOrder(_ order: [Int], axis: Int, _ heads: HeadOrder) -> Cause? {
  if let cause = pairOrder(order, axis: axis, heads) { return cause }
  let count = order.count / heads.size
  guard count > 1,
    order.indices.allSatisfy({ order[$0] == $0 % count * heads.size + $0 / count })
  else {
    return nil
  }
  return .headsTransposed(axis: axis, heads: count)
}

/// Heads of that size whose rotary pairs are in the wrong order.
private func pairOrder(_ order: [Int], axis: Int, _ heads: HeadOrder) -> Cause? {
  guard heads.hasPairs else { return nil }
  if order.indices.allSatisfy({ order[$0] == heads.interleaved($0) }) {
    return .interleaved(axis: axis, headSize: heads.size, inverse: false)
  }
  if order.indices.allSatisfy({ order[$0] == heads.split($0) }) {
    return .interleaved(axis: axis, headSize: heads.size, inverse: true)
  }
  return nil
}

/// Whether an order moves whole blocks of neighbours.
private func isBlockwise(_ order: [Int], block: Int) -> Bool {
  stride(from: 0, to: order.count, by: block).allSatisfy { start in
    order[start].isMultiple(of: block)
      && (0..<block).allSatisfy { order[start + $0] == order[start] + $0 }
  }
}

/// The two orders of the rotary pairs of heads: the halves one behind the other (as Hugging
/// Face stores them), or pair by pair (Meta). Each function gives, for a row of the wrong order, the row
/// of the right one.
struct HeadOrder {
  /// The size of a head.
  let size: Int
  /// Which rows of a head are in pairs.
  let turned: Range<Int>

  /// Heads of which some rows are in pairs; all of them, if not said otherwise.
  init(size: Int, turned: Range<Int>? = nil) {
    (self.size, self.turned) = (size, turned ?? 0..<size)
  }

  /// Whether the two orders are there, and are not the same.
  var hasPairs: Bool {
    turned.count.isMultiple(of: 2) && turned.count > 2 && turned.lowerBound >= 0
      && turned.upperBound <= size
  }

  /// Rows half-split that should be interleaved.
  func interleaved(_ i: Int) -> Int {
    moved(i) { $0 % 2 * (turned.count / 2) + $0 / 2 }
  }

  /// Rows interleaved that should be half-split.
  func split(_ i: Int) -> Int {
    moved(i) { $0 % (turned.count / 2) * 2 + $0 / (turned.count / 2) }
  }

  /// The row for a place among those that are turned; the others stay.
  private func moved(_ i: Int, _ order: (Int) -> Int) -> Int {
    let place = i % size - turned.lowerBound
    return turned.contains(i % size) ? i - place + order(place) : i
  }
}

/// The order of the rows of a matrix that holds several parts of attention, queries, keys and values: part by
/// part, or head by head, for each head of keys its heads of queries, itself, and its values.
struct FusedOrder {
  /// How often the parts come by turns.
  let heads: Int
  /// How many rows of each part come together then.
  let sizes: [Int]

  /// How many rows a head of the last part has.
  var size: Int { sizes.last ?? 0 }

  /// For each row of the matrix head by head, the row of the one part by part.
  var partByPart: [Int] {
    let starts = sizes.indices.map { sizes[..<$0].reduce(0, +) * heads }
    return (0..<heads).flatMap { head in
      zip(starts, sizes).flatMap { start, size in (0..<size).map { start + head * size + $0 } }
    }
  }

  /// For each row of the matrix part by part, the row of the one head by head.
  var headByHead: [Int] { partByPart.inverted }
}

extension HeadPart {
  /// The order of the rows inside the heads, with those that rotary positions turn; without rotary positions, all
  /// of them.
  var order: HeadOrder { HeadOrder(size: size, turned: turned) }

  /// Rows that stand place by place instead of head by head.
  func transposed(_ row: Int) -> Int { row % size * heads + row / size }
}

extension LayerFact {
  /// The orders of a common matrix of parts of attention, if there are several heads.
  var fusedOrder: FusedOrder? {
    let parts = commonParts.compactMap(headPart)
    guard let turns = parts.last?.heads, turns > 0, parts.count > 1, (parts.first?.heads ?? 0) > 1,
      parts.allSatisfy({ $0.heads.isMultiple(of: turns) })
    else { return nil }
    return FusedOrder(heads: turns, sizes: parts.map { $0.heads / turns * $0.size })
  }
}
