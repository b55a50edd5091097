/// What products with vectors of distances add to the scores of keys, the last of which are at the queries' own
/// positions, and what kinds of keys add beside them.
///
/// Each row of products begins one further to the left than the one before it, so that a stride does what shifting rows
/// does. Dai et al., arXiv 1901.02860, appendix B.
///
/// - Parameters:
///   - products: `[batch, heads, queries, queries + keys − 1]`, those with the distance from the last query to the
///     first key first.
///   - keys: how many keys there are.
///   - kinds: `[batch, heads, queries, 2]`, what is added for a key of the query's kind, and for another; and
///     `[batch, queries, keys]`, whether it is another.
/// - Precondition: the shapes fit.
public func alignedByDistance<Scalar: ComputeScalar>(
  _ products: NDArray<Scalar>, keys: Int,
  kinds: (addends: NDArray<Scalar>, differs: NDArray<Bool>)? = nil
) -> ScoreBias<Scalar> {
  let (batch, heads, queries) = (products.shape[0], products.shape[1], products.shape[2])
  let width = products.width
  precondition(width == queries + keys - 1, "there is a product for each distance")
  var array = products
  if let kinds {
    precondition(
      kinds.addends.shape == [batch, heads, queries, 2]
        && kinds.differs.shape == [batch, queries, keys], "kinds do not fit")
    for row in 0..<array.rows {
      let query = row % queries
      let first = row * width + queries - 1 - query
      let flags = (row / (heads * queries) * queries + query) * keys
      for key in 0..<keys {
        array.elements[first + key] +=
          kinds.addends.elements[2 * row + (kinds.differs.elements[flags + key] ? 1 : 0)]
      }
    }
  }
  return ScoreBias(
    array, offset: queries - 1, batch: heads * queries * width, head: queries * width,
    query: width - 1, key: 1)
}
