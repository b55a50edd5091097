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

/// The order of the rows of a matrix that holds queries, keys and values: part by part
/// (`[queries' heads + keys' heads + values' heads, size]`), or head by head: for each head of keys its
/// heads of queries, itself, and its values.
struct FusedOrder {
  /// The number of heads of queries.
  let heads: Int
  /// The number of heads of keys, and of values.
  let keyHeads: Int
  /// The size of a head.
  let size: Int

  /// - Precondition: `keyHeads` divides `heads`.
  init(heads: Int, keyHeads: Int, size: Int) {
    (self.heads, self.keyHeads, self.size) = (heads, keyHeads, size)
  }

  /// For each row of the matrix head by head, the row of the one part by part.
  var partByPart: [Int] {
    let group = heads / keyHeads
    return (0..<(heads + 2 * keyHeads) * size).map { row in
      let (head, part, place) = (
        row / ((group + 2) * size), row / size % (group + 2), row % size
      )
      let there =
        part < group
        ? head * group + part : part == group ? heads + head : heads + keyHeads + head
      return there * size + place
    }
  }

  /// For each row of the matrix part by part, the row of the one head by head.
  var headByHead: [Int] { partByPart.inverted }
}

extension AttentionShape {
  /// The order of the rows of queries or keys inside their heads, with those that rotary positions turn;
  /// without rotary positions, all of them.
  var headOrder: HeadOrder {
    HeadOrder(size: headSize, turned: rotary.map { $0.first..<$0.first + max(0, $0.size) })
  }

  /// The orders of a common matrix of queries, keys and values, if their heads are of one size.
  var fusedOrder: FusedOrder? {
    guard headSize == valueSize, keyHeads > 0, heads.isMultiple(of: keyHeads), heads > 1 else {
      return nil
    }
    return FusedOrder(heads: heads, keyHeads: keyHeads, size: headSize)
  }
}
