/// The usual mistake that makes this order, where row `i` of B is row `order[i]` of A.
///
/// - Parameter headSize: the size of the model's heads, which is tried first: two heads in the wrong
///   order look like one of twice the size interleaved.
func cause(ofOrder order: [Int], axis: Int, headSize: Int? = nil) -> Cause {
  let count = order.count
  let divisors = (2..<max(2, count)).filter { count.isMultiple(of: $0) } + [count]
  let sizes = [headSize].compactMap(\.self).filter(divisors.contains)
  if let cause = sizes.lazy.compactMap({ headOrder(order, axis: axis, size: $0) }).first {
    return cause
  }
  if let cause = divisors.lazy.compactMap({ pairOrder(order, axis: axis, size: $0) }).first
    ?? divisors.lazy.compactMap({ headOrder(order, axis: axis, size: $0) }).first
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
private func headOrder(_ order: [Int], axis: Int, size: Int) -> Cause? {
  if let cause = pairOrder(order, axis: axis, size: size) { return cause }
  let heads = order.count / size
  guard heads > 1, order.indices.allSatisfy({ order[$0] == $0 % heads * size + $0 / heads }) else {
    return nil
  }
  return .headsTransposed(axis: axis, heads: heads)
}

/// Heads of that size whose rotary pairs are in the wrong order.
private func pairOrder(_ order: [Int], axis: Int, size: Int) -> Cause? {
  guard size.isMultiple(of: 2), size > 2 else { return nil }
  let pairs = HeadOrder(size: size)
  if order.indices.allSatisfy({ order[$0] == pairs.interleaved($0) }) {
    return .interleaved(axis: axis, headSize: size, inverse: false)
  }
  if order.indices.allSatisfy({ order[$0] == pairs.split($0) }) {
    return .interleaved(axis: axis, headSize: size, inverse: true)
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

/// The two orders of the rotary pairs of heads: the halves one behind the other (GPT-NeoX, Hugging
/// Face), or pair by pair (GPT-J, Meta). Each function gives, for a row of the wrong order, the row
/// of the right one.
struct HeadOrder {
  /// The size of a head.
  let size: Int

  /// Rows half-split that should be interleaved.
  func interleaved(_ i: Int) -> Int { i / size * size + i % 2 * (size / 2) + i % size / 2 }

  /// Rows interleaved that should be half-split.
  func split(_ i: Int) -> Int { i / size * size + i % (size / 2) * 2 + i % size / (size / 2) }
}

/// The order of the rows of a matrix that holds several parts of heads: part by part
/// (`[parts, heads, size]`), or head by head (`[heads, parts, size]`).
struct FusedOrder {
  /// The number of parts: 3 for query, key and value.
  let parts: Int
  /// The number of heads.
  let heads: Int
  /// The size of a head.
  let size: Int

  /// For a row of the matrix head by head, the row of the one part by part.
  func partByPart(_ i: Int) -> Int {
    let (head, part, place) = (i / (parts * size), i / size % parts, i % size)
    return (part * heads + head) * size + place
  }

  /// For a row of the matrix part by part, the row of the one head by head.
  func headByHead(_ i: Int) -> Int {
    let (part, head, place) = (i / (heads * size), i / size % heads, i % size)
    return (head * parts + part) * size + place
  }
}
