public import Kernels
package import TensorCore

/// A learned number for each head and each bucket of distances between query and key, added to the
/// scores. See `RelativeBuckets`.
public struct RelativeBias<Scalar: ComputeScalar> {
  let table: NDArray<Scalar>  // [buckets, heads]
  private let maxDistance: Int
  private let isBidirectional: Bool

  /// Asks `scope` for `weight` `[buckets, heads]`.
  package init(
    _ scope: WeightScope<Scalar>, buckets: Int, heads: Int, maxDistance: Int,
    isBidirectional: Bool
  ) throws(CheckpointError) {
    table = try scope.weight("weight", [buckets, heads], .embedding)
    self.maxDistance = maxDistance
    self.isBidirectional = isBidirectional
    scope.declare(.distanceBias(heads: heads))
  }

  /// The bias for each distance: `[heads, queries + keys − 1]`, as `Kernels.attention` takes it.
  ///
  /// - Parameter firstQuery: the position of the first query among the keys.
  package func callAsFunction(queries: Int, keys: Int, firstQuery: Int) -> NDArray<Scalar> {
    let buckets = RelativeBuckets(
      count: table.rows, maxDistance: maxDistance, isBidirectional: isBidirectional)
    return relativeBias(
      table: table, buckets: buckets, queries: queries, keys: keys, firstQuery: firstQuery)
  }
}
