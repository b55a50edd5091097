/// How many queries and keys a tile of scores has at most. Each worker has one.
package enum AttentionTile {
  package static let queries = 128
  package static let keys = 512
}

/// The part of a matrix's rows that belongs to one head.
@safe struct HeadRows<Scalar: ComputeScalar> {
  /// The first element.
  let start: UnsafePointer<Scalar>
  /// How many elements of each row belong to the head.
  let width: Int
  /// How far rows are apart, in elements.
  let stride: Int
}

/// Attention of a few queries with one head, tile by tile of the keys.
///
/// For each query there are the largest score `m` so far and the sum `l` of `e^(score − m)`. When a
/// tile raises `m` to `m′`, what was summed before is multiplied by `e^(m − m′)`. Dao,
/// arXiv 2307.08691, algorithm 1.
struct RunningSoftmax<Scalar: ComputeScalar> {
  /// `[queries, keys of a tile]`: scores, then their weights. Behind them two rows for what a query's scores
  /// are computed with.
  private var scores: [Scalar]
  private var largest: [Scalar]
  private var sums: [Scalar]
  /// Where the two rows are.
  private let rows: (hidden: Int, bias: Int)

  /// Room for as many queries and keys as a tile has at most, of so many.
  init(queries: Int, keys: Int) {
    let (queries, keys) = (min(queries, AttentionTile.queries), min(keys, AttentionTile.keys))
    scores = Array(repeating: 0, count: (queries + 2) * keys)
    rows = (queries * keys, (queries + 1) * keys)
    largest = Array(repeating: 0, count: queries)
    sums = largest
  }

  /// Computes `softmax(cap(q·kᵀ·scale) + bias)·v`.
  ///
  /// - Parameters:
  ///   - part: the queries of which `query` has the rows, and their keys.
  ///   - key: all keys, as `value` has all values.
  ///   - result: `[queries, value size]`, rows `stride` apart.
  @inline(__always)
  mutating func attend(
    _ part: AttentionPart, query: HeadRows<Scalar>, key: HeadRows<Scalar>, value: HeadRows<Scalar>,
    scoring: HeadScoring<Scalar>, result: UnsafeMutablePointer<Scalar>, stride: Int
  ) {
    let queries = part.queries
    // A key without a value has been seen before any other.
    for row in 0..<queries.count {
      largest[row] = scoring.sink ?? -.infinity
      sums[row] = scoring.sink == nil ? 0 : 1
    }
    var isFirst = true
    let rows = rows
    unsafe scores.withUnsafeMutableBufferPointer { scores in
      guard let scores = scores.baseAddress else { return }
      for keys in part.keys.flatMap({ tiles(of: $0) }) {
        unsafe Scalar.product(
          rows: queries.count, columns: keys.count, inner: query.width,
          a: query.start, strideA: query.stride,
          b: key.start + keys.lowerBound * key.stride, strideB: key.stride, transposeB: true,
          c: scores, strideC: keys.count, accumulates: false)
        for (row, query) in queries.enumerated() {
          let scores = unsafe RowOfScores(
            scores: scores + row * keys.count, count: keys.count,
            seen: scoring.seen(by: query, in: keys),
            hidden: scoring.hidden(from: query, of: keys, scratch: scores + rows.hidden),
            bias: scoring.bias(of: query, for: keys, scratch: scores + rows.bias))
          let factor = scores.weigh(scoring, largest: &largest[row], sum: &sums[row])
          if !isFirst && factor != 1 {
            unsafe multiply(result + row * stride, value.width, by: factor)
          }
        }
        unsafe Scalar.product(
          rows: queries.count, columns: value.width, inner: keys.count,
          a: scores, strideA: keys.count,
          b: value.start + keys.lowerBound * value.stride, strideB: value.stride,
          transposeB: false, c: result, strideC: stride, accumulates: !isFirst)
        isFirst = false
      }
    }
    for row in 0..<queries.count {
      unsafe multiply(result + row * stride, value.width, by: 1 / sums[row])
    }
  }
}

/// The tiles of a range of keys.
private func tiles(of keys: Range<Int>) -> [Range<Int>] {
  pieces(of: keys.count, size: AttentionTile.keys).map {
    keys.lowerBound + $0.lowerBound..<keys.lowerBound + $0.upperBound
  }
}

/// The scores of one query for the keys of a tile.
@safe private struct RowOfScores<Scalar: ComputeScalar> {
  let scores: UnsafeMutablePointer<Scalar>
  /// How many keys there are.
  let count: Int
  /// Which of them the query reaches.
  let seen: Range<Int>
  /// For each key of the tile, 1 if it is hidden.
  let hidden: UnsafePointer<Scalar>?
  /// For each key of the tile, what is added to its score.
  let bias: UnsafePointer<Scalar>?

  /// Makes products into scores, and replaces each by `e^(score − largest)`.
  ///
  /// - Parameters:
  ///   - largest: the largest score so far, updated.
  ///   - sum: of the weights so far, updated.
  /// - Returns: what was summed with the weights so far is to be multiplied by.
  @inline(__always)
  func weigh(
    _ scoring: HeadScoring<Scalar>, largest: inout Scalar, sum: inout Scalar
  ) -> Scalar {
    let before = largest
    largest = max(before, scoreSeen(scoring), scoreUnreached(scoring))
    // If there are scores of minus infinity alone, no largest one can be subtracted.
    let shift = largest == -.infinity ? 0 : largest
    let sumOfSeen = unsafe Scalar.exponentiate(seenScores, shift: shift)
    let factor = before == largest ? 1 : Scalar.exp(before - shift)
    sum = sum * factor + sumOfSeen + weighUnreached(scoring, shift: shift)
    return factor
  }

  /// Scores of the keys that the query does not reach, unless all have the same.
  ///
  /// - Returns: the largest one.
  @inline(__always)
  private func scoreUnreached(_ scoring: HeadScoring<Scalar>) -> Scalar {
    if seen.count == count { return -.infinity }
    if scoring.fallback == .all { return scoring.unreached(isAhead: false, isHidden: false) }
    var largest = -Scalar.infinity
    func score(_ range: Range<Int>, isAhead: Bool) {
      for index in range {
        let isHidden = unsafe hidden.map { unsafe $0[index] > 0 } ?? false
        let score = scoring.unreached(isAhead: isAhead, isHidden: isHidden)
        unsafe scores[index] = score
        largest = max(largest, score)
      }
    }
    score(0..<seen.lowerBound, isAhead: false)
    score(seen.upperBound..<count, isAhead: true)
    return largest
  }

  /// The weights of those keys, which count only while no other key has a score.
  ///
  /// - Returns: their sum.
  @inline(__always)
  private func weighUnreached(_ scoring: HeadScoring<Scalar>, shift: Scalar) -> Scalar {
    if scoring.fallback == .all {
      let rest = Scalar.exp(scoring.unreached(isAhead: false, isHidden: false) - shift)
      for index in 0..<seen.lowerBound { unsafe scores[index] = rest }
      for index in seen.upperBound..<count { unsafe scores[index] = rest }
      return rest * Scalar(count - seen.count)
    }
    var sum: Scalar = 0
    for range in [0..<seen.lowerBound, seen.upperBound..<count] {
      for index in range {
        let weight = unsafe Scalar.exp(scores[index] - shift)
        unsafe scores[index] = weight
        sum += weight
      }
    }
    return sum
  }

  private var seenScores: UnsafeMutableBufferPointer<Scalar> {
    unsafe UnsafeMutableBufferPointer(start: scores + seen.lowerBound, count: seen.count)
  }

  /// Makes products into scores, those that the query reaches.
  ///
  /// - Returns: the largest one.
  @inline(__always)
  private func scoreSeen(_ scoring: HeadScoring<Scalar>) -> Scalar {
    var scale = scoring.scale
    if let softcap = scoring.softcap {
      let factor = scale / softcap
      unsafe replaceEach(seenScores) { $0 * factor }
      unsafe Scalar.tanh(seenScores)
      scale = softcap
    }
    return unsafe Scalar.score(
      seenScores, scale: scale, bias: bias.map { unsafe $0 + seen.lowerBound },
      hidden: hidden.map { unsafe $0 + seen.lowerBound })
  }
}

@inline(__always)
private func multiply<Scalar: ComputeScalar>(
  _ row: UnsafeMutablePointer<Scalar>, _ count: Int, by factor: Scalar
) {
  for i in 0..<count { unsafe row[i] *= factor }
}
