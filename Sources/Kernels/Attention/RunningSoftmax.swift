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
  /// `[queries, keys of a tile]`: scores, then their weights.
  private var scores: [Scalar]
  private var largest: [Scalar]
  private var sums: [Scalar]

  /// Room for so many queries, and as many keys as a tile has at most.
  init(queries: Int, keys: Int) {
    scores = Array(repeating: 0, count: queries * min(keys, AttentionTile.keys))
    largest = Array(repeating: 0, count: queries)
    sums = largest
  }

  /// Computes `softmax(q·kᵀ·scale + bias)·v`.
  ///
  /// - Parameters:
  ///   - queries: which queries `query` has the rows of.
  ///   - bias: the head's bias of the text's first query and first key; those of greater distances lie
  ///     around it, as in `attention`.
  ///   - hidden: for each key, 1 if no query may attend to it.
  ///   - result: `[queries, value size]`, rows as far apart as those of `value`.
  @inline(__always)
  mutating func attend(
    queries: Range<Int>, query: HeadRows<Scalar>, key: HeadRows<Scalar>, value: HeadRows<Scalar>,
    scale: Scalar, bias: UnsafePointer<Scalar>?, visible: VisibleKeys,
    hidden: UnsafePointer<Scalar>?, result: UnsafeMutablePointer<Scalar>
  ) {
    for row in 0..<queries.count {
      largest[row] = -.infinity
      sums[row] = 0
    }
    unsafe scores.withUnsafeMutableBufferPointer { scores in
      guard let scores = scores.baseAddress else { return }
      for keys in pieces(of: visible.end(of: queries), size: AttentionTile.keys) {
        let isFirst = keys.lowerBound == 0
        unsafe Scalar.product(
          rows: queries.count, columns: keys.count, inner: query.width,
          a: query.start, strideA: query.stride,
          b: key.start + keys.lowerBound * key.stride, strideB: key.stride, transposeB: true,
          c: scores, strideC: keys.count, accumulates: false)
        for (row, query) in queries.enumerated() {
          let scores = unsafe RowOfScores(
            scores: scores + row * keys.count, count: keys.count,
            visible: max(0, min(visible.end(of: query) - keys.lowerBound, keys.count)),
            hidden: hidden.map { unsafe $0 + keys.lowerBound },
            bias: bias.map { unsafe $0 - query + keys.lowerBound })
          let factor = scores.weigh(
            scale: scale, largest: &largest[row], sum: &sums[row])
          if !isFirst && factor != 1 {
            unsafe multiply(result + row * value.stride, value.width, by: factor)
          }
        }
        unsafe Scalar.product(
          rows: queries.count, columns: value.width, inner: keys.count,
          a: scores, strideA: keys.count,
          b: value.start + keys.lowerBound * value.stride, strideB: value.stride,
          transposeB: false, c: result, strideC: value.stride, accumulates: !isFirst)
      }
    }
    for row in 0..<queries.count {
      unsafe multiply(result + row * value.stride, value.width, by: 1 / sums[row])
    }
  }
}

/// The scores of one query for the keys of a tile.
@safe private struct RowOfScores<Scalar: ComputeScalar> {
  let scores: UnsafeMutablePointer<Scalar>
  /// How many keys there are.
  let count: Int
  /// How many of them come before those that are hidden for being later than the query.
  let visible: Int
  /// For each key of the tile, 1 if it is hidden.
  let hidden: UnsafePointer<Scalar>?
  /// For each key of the tile, what is added to its scaled score.
  let bias: UnsafePointer<Scalar>?

  /// Scales the scores, adds biases, masks, and replaces each by `e^(score − largest)`.
  ///
  /// - Parameters:
  ///   - largest: the largest score so far, updated.
  ///   - sum: of the weights so far, updated.
  /// - Returns: what was summed with the weights so far is to be multiplied by.
  @inline(__always)
  func weigh(
    scale: Scalar, largest: inout Scalar, sum: inout Scalar
  ) -> Scalar {
    let seen = unsafe UnsafeMutableBufferPointer(start: scores, count: visible)
    let masked = -Scalar.greatestFiniteMagnitude
    let before = largest
    largest = max(
      before, unsafe Scalar.score(seen, scale: scale, bias: bias, hidden: hidden),
      visible < count ? masked : -.infinity)
    // If there are scores of minus infinity alone, no largest one can be subtracted.
    let shift = largest == -.infinity ? 0 : largest
    let sumOfSeen = unsafe Scalar.exponentiate(seen, shift: shift)
    // Keys that are hidden for being later count only while no other key has a score.
    let rest = Scalar.exp(masked - shift)
    for index in visible..<count { unsafe scores[index] = rest }
    let factor = before == largest ? 1 : Scalar.exp(before - shift)
    sum = sum * factor + sumOfSeen + rest * Scalar(count - visible)
    return factor
  }
}

@inline(__always)
private func multiply<Scalar: ComputeScalar>(
  _ row: UnsafeMutablePointer<Scalar>, _ count: Int, by factor: Scalar
) {
  for i in 0..<count { unsafe row[i] *= factor }
}
