#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The buckets into which distances between a query and a key are sorted.
///
/// Raffel et al.: "Exploring the Limits of Transfer Learning", arXiv 1910.10683, §2.1, as computed
/// by `relative_position_bucket` (mesh_tensorflow/transformer/transformer_layers.py): near distances
/// have a bucket each, farther ones share buckets whose bounds grow geometrically up to
/// `maxDistance`. The bounds are found in integers, so no rounding of a logarithm moves them.
public struct RelativeBuckets: Sendable {
  /// The smallest distance in each bucket of one direction, ascending: 0, 1, 2, … 8, 12, 16, 23, …
  private let firstDistances: [Int]
  private let isBidirectional: Bool

  /// - Parameters:
  ///   - count: how many buckets there are, for both directions together.
  ///   - maxDistance: from here on all distances share the last bucket. More than half the buckets
  ///     of a direction.
  ///   - isBidirectional: whether keys behind the query have buckets of their own; if not, they
  ///     share the bucket of distance 0.
  public init(count: Int, maxDistance: Int, isBidirectional: Bool) {
    let buckets = isBidirectional ? count / 2 : count
    let near = buckets / 2
    precondition(near > 0 && maxDistance > near, "there are too many buckets for the distance")
    let bound = GeometricBounds(near: near, far: maxDistance, steps: buckets - near)
    firstDistances = Array(0..<near) + (0..<buckets - near).map(bound.first)
    self.isBidirectional = isBidirectional
  }

  /// The bucket of a key's position minus the query's.
  public func callAsFunction(_ offset: Int) -> Int {
    let isBehind = isBidirectional && offset > 0
    let distance = isBidirectional ? abs(offset) : max(-offset, 0)
    // The last bucket that begins at or before the distance.
    var (low, high) = (0, firstDistances.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if firstDistances[middle] <= distance { low = middle } else { high = middle }
    }
    return isBehind ? firstDistances.count + low : low
  }
}

/// Where `near·(far/near)^(step/steps)` is reached.
private struct GeometricBounds {
  let near: Int
  let far: Int
  let steps: Int

  /// The smallest whole number that reaches the bound `step`.
  func first(_ step: Int) -> Int {
    let estimate = Double(near) * pow(Double(far) / Double(near), Double(step) / Double(steps))
    var distance = max(near, Int(estimate) - 1)
    while !isReached(distance, step) { distance += 1 }
    return distance
  }

  /// Whether `distance^steps · near^step ≥ far^step · near^steps`: by logarithms where they are
  /// clearly apart, else in integers.
  private func isReached(_ distance: Int, _ step: Int) -> Bool {
    let left = Double(steps) * log(Double(distance) / Double(near))
    let right = Double(step) * log(Double(far) / Double(near))
    if abs(left - right) > 1e-6 { return left > right }
    var (a, b) = (Natural(1), Natural(1))
    for _ in 0..<steps {
      a.multiply(by: distance)
      b.multiply(by: near)
    }
    for _ in 0..<step {
      a.multiply(by: near)
      b.multiply(by: far)
    }
    return !(a < b)
  }
}

/// A whole number of any size.
private struct Natural {
  /// Base 2³², the least significant first, the last one not zero.
  private var digits: [UInt32]

  init(_ digit: UInt32) {
    digits = [digit]
  }

  /// - Precondition: `factor` is positive and has at most 32 bits.
  mutating func multiply(by factor: Int) {
    var carry: UInt64 = 0
    for index in digits.indices {
      let product = UInt64(digits[index]) * UInt64(factor) + carry
      digits[index] = UInt32(truncatingIfNeeded: product)
      carry = product >> 32
    }
    if carry > 0 { digits.append(UInt32(carry)) }
  }

  static func < (a: Natural, b: Natural) -> Bool {
    if a.digits.count != b.digits.count { return a.digits.count < b.digits.count }
    return a.digits.reversed().lexicographicallyPrecedes(b.digits.reversed())
  }
}

/// What is added to scores for the distance between query and key: `table[bucket(k − q), h]`.
///
/// - Parameters:
///   - table: `[buckets, heads]`
///   - buckets: sorts distances.
///   - queries: how many queries there are.
///   - keys: how many keys there are.
///   - firstQuery: the position of the first query among the keys.
/// - Returns: `[heads, queries + keys − 1]`, from the last query and the first key on, as `attention`
///   takes it.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func relativeBias<Scalar: ComputeScalar>(
  table: NDArray<Scalar>, buckets: RelativeBuckets, queries: Int, keys: Int, firstQuery: Int
) -> NDArray<Scalar> {
  let heads = table.width
  let firstOffset = -(firstQuery + queries - 1)
  let rows = (0..<max(0, queries + keys - 1)).map { buckets(firstOffset + $0) }
  let elements = (0..<heads).flatMap { head in rows.map { table.elements[$0 * heads + head] } }
  return NDArray(shape: [heads, rows.count], elements: elements)
}
