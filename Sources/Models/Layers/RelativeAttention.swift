public import Kernels
package import TensorCore

/// Attention with relative positions: queries are compared with keys, with how far these are, and with whether they are
/// of the same kind of text. Each comparison adds a bias of its own to the queries.
///
/// Keys and values may be more than what is looked from: memories of earlier texts stand before it.
///
/// Dai et al.: "Transformer-XL", arXiv 1901.02860, §3.3 and appendix B; the comparison of kinds: Yang et al.,
/// arXiv 1906.08237, §2.5.
public struct RelativeAttention<Scalar: ComputeScalar> {
  private let query: Linear<Scalar>
  private let key: Linear<Scalar>
  private let value: Linear<Scalar>
  private let position: Linear<Scalar>
  private let output: Linear<Scalar>
  private let contentBias: NDArray<Scalar>  // [heads × size]
  private let positionBias: NDArray<Scalar>  // [heads × size]
  private let kinds: KindVectors<Scalar>?
  private let shape: AttentionShape
  private let scale: Double

  /// - Parameters:
  ///   - width: of the stream it reads and writes, and of the vectors of distances.
  ///   - comparesKinds: whether there is a vector for keys of the query's kind, and one for others.
  ///   - hasBias: whether queries, keys, values and the output have a bias.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, shape: AttentionShape, comparesKinds: Bool,
    bias hasBias: Bool = false
  ) throws(CheckpointError) {
    func linear(_ name: String, bias: Bool = hasBias) throws(CheckpointError) -> Linear<Scalar> {
      try Linear(scope.module(name, .linear), in: width, out: shape.queryWidth, bias: bias)
    }
    func bias(_ name: String) throws(CheckpointError) -> NDArray<Scalar> {
      let bias = try scope.weight(name, [shape.heads, shape.headSize], .bias)
      return bias.elements.isEmpty ? bias : bias.reshaped([shape.queryWidth])
    }
    query = try linear("query")
    key = try linear("key")
    value = try linear("value")
    position = try linear("position", bias: false)
    output = try Linear(
      scope.module("output", .linear), in: shape.resultWidth, out: width, bias: hasBias)
    contentBias = try bias("content_bias")
    positionBias = try bias("position_bias")
    kinds =
      comparesKinds
      ? KindVectors(
        bias: try bias("kind_bias"),
        vectors: try scope.weight("kinds", [2, shape.heads, shape.headSize], .embedding)) : nil
    var declared = shape
    (declared.hasHeadBias, declared.hasOwnPositions) = (true, true)
    scope.declare(.attention(declared))
    self.shape = shape
    scale = 1 / Double(shape.headSize).squareRoot()
  }

  /// Attention of a sequence to another one, whose last positions are its own.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, width]`
  ///   - source: `[batch, keys, width]`
  ///   - distances: `[batch or 1, queries + keys − 1, width]`, the vectors of the distances from the last query to the
  ///     first key on: that of `keys − 1` first.
  ///   - differs: `[batch, queries, keys]`, whether a key is of another kind than the query; `nil` where kinds are not
  ///     compared.
  ///   - allowed: `[batch, queries, keys]`, which keys a query sees, all alike where none; `nil` for all.
  ///   - addend: `[batch, queries, width]`, added to the result.
  /// - Returns: `[batch, queries, width]`
  package func callAsFunction(
    _ x: NDArray<Scalar>, over source: NDArray<Scalar>, distances: NDArray<Scalar>,
    differs: NDArray<Bool>?, allowed: NDArray<Bool>?, adding addend: NDArray<Scalar>? = nil
  ) -> NDArray<Scalar> {
    let queries = query(x)
    let pair = project(source, by: [key.projection, value.projection])
    let products = compared(queries, positionBias, byHead(position(distances)))
    let ofKinds = kinds.flatMap { kinds in
      differs.map { differs in
        (compared(queries, kinds.bias, kinds.vectors(of: shape)), differs)
      }
    }
    let bias = alignedByDistance(products, keys: source.shape[1], kinds: ofKinds)
    let result = attention(
      query: addBroadcasting(queries, contentBias), key: pair[0], value: pair[1],
      heads: shape.heads,
      scores: Scores(scale: scale, bias: bias, keys: KeyPlan(allowed: allowed)))
    return output(result, adding: addend)
  }

  /// The products of queries and vectors, scaled: `[batch, heads, queries, vectors]`.
  ///
  /// - Parameters:
  ///   - bias: `[heads × size]`, added to the queries.
  ///   - vectors: `[batch or 1, heads, vectors, size]`
  private func compared(
    _ queries: NDArray<Scalar>, _ bias: NDArray<Scalar>, _ vectors: NDArray<Scalar>
  ) -> NDArray<Scalar> {
    let queries = byHead(addBroadcasting(queries, bias))
    return scaled(batchedProduct(queries, vectors, isTransposed: true), by: scale)
  }

  /// `[batch, length, heads × size]` to `[batch, heads, length, size]`
  private func byHead(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    permute(x.reshaped([x.shape[0], x.shape[1], shape.heads, shape.headSize]), [0, 2, 1, 3])
  }
}

/// What keys of a query's own kind, and others, are compared with.
private struct KindVectors<Scalar: ComputeScalar> {
  let bias: NDArray<Scalar>  // [heads × size]
  let vectors: NDArray<Scalar>  // [2, heads, size]

  /// `[1, heads, 2, size]`
  func vectors(of shape: AttentionShape) -> NDArray<Scalar> {
    permute(vectors, [1, 0, 2]).reshaped([1, shape.heads, 2, shape.headSize])
  }
}
