/// Finds the order in which the rows of one matrix stand in another.
///
/// - Returns: for each row of `b`, the row of `a` that it equals, or `nil` if one is not there. Equal
///   rows are matched in order.
func rowOrder(of b: [[UInt8]], in a: [[UInt8]]) -> [Int]? {
  var places: [[UInt8]: [Int]] = [:]
  for (index, row) in a.enumerated().reversed() { places[row, default: []].append(index) }
  var order: [Int] = []
  for row in b {
    guard let place = places[row]?.popLast() else { return nil }
    order.append(place)
  }
  return order
}

/// How far rows moved, if all that are not at an end moved alike: `b[i] = a[i + offset]`.
func shift(of b: [[UInt8]], in a: [[UInt8]]) -> Int? {
  let count = a.count
  guard count > 2, b.count == count else { return nil }
  return [1, -1, 2, -2].first { offset in
    let inner = max(0, -offset)..<min(count, count - offset)
    return inner.count > 1 && inner.allSatisfy { b[$0] == a[$0 + offset] }
  }
}

/// The usual mistake that makes this order, where row `i` of B is row `order[i]` of A.
func cause(ofOrder order: [Int], axis: Int) -> Cause {
  let count = order.count
  let divisors = (2..<max(2, count)).filter { count.isMultiple(of: $0) } + [count]
  for size in divisors where size.isMultiple(of: 2) && size > 2 {
    let half = size / 2
    func interleaved(_ i: Int) -> Int { i / size * size + i % 2 * half + i % size / 2 }
    func split(_ i: Int) -> Int { i / size * size + i % half * 2 + i % size / half }
    if order.indices.allSatisfy({ order[$0] == interleaved($0) }) {
      return .interleaved(axis: axis, headSize: size, inverse: false)
    }
    if order.indices.allSatisfy({ order[$0] == split($0) }) {
      return .interleaved(axis: axis, headSize: size, inverse: true)
    }
  }
  for heads in divisors where heads < count {
    let size = count / heads
    if order.indices.allSatisfy({ order[$0] == $0 % heads * size + $0 / heads }) {
      return .headsTransposed(axis: axis, heads: heads)
    }
  }
  let block = divisors.reversed().first { block in
    block < count
      && stride(from: 0, to: count, by: block).allSatisfy { start in
        order[start].isMultiple(of: block)
          && (0..<block).allSatisfy { order[start + $0] == order[start] + $0 }
      }
  }
  return .permuted(axis: axis, block: block ?? 1)
}
