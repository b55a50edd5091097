public import Kernels
package import TensorCore

/// Attention whose queries are compared with keys, and with a vector for how far each key is, as far as so many
/// positions before and behind.
///
/// Shaw et al.: "Self-Attention with Relative Position Representations", arXiv 1803.02155, §3.2, with vectors for keys
/// alone, which heads share.
public struct DistanceAttention<Scalar: ComputeScalar> {
  private let query: Linear<Scalar>
  private let key: Linear<Scalar>
  private let value: Linear<Scalar>
  private let output: Linear<Scalar>
  private let vectors: NDArray<Scalar>  // [before + 1 + after, size]
  private let shape: AttentionShape
  private let before: Int
  private let scale: Double

  /// - Parameters:
  ///   - width: of the stream it reads and writes.
  ///   - before: the farthest distance to keys before a query that has a vector of its own.
  ///   - after: the same of keys behind it.
  ///   - hasBias: whether queries, keys, values and the output have a bias.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, shape: AttentionShape, before: Int, after: Int,
    bias hasBias: Bool
  ) throws(CheckpointError) {
    func linear(_ name: String) throws(CheckpointError) -> Linear<Scalar> {
      try Linear(scope.module(name, .linear), in: width, out: shape.queryWidth, bias: hasBias)
    }
    query = try linear("query")
    key = try linear("key")
    value = try linear("value")
    output = try Linear(
      scope.module("output", .linear), in: shape.resultWidth, out: width, bias: hasBias)
    vectors = try scope.module("distances", .embedding).weight(
      "weight", [before + 1 + after, shape.headSize], .embedding)
    var declared = shape
    declared.hasOwnPositions = true
    scope.declare(.attention(declared))
    self.shape = shape
    self.before = before
    scale = 1 / Double(shape.headSize).squareRoot()
  }

  /// Attention of a sequence to itself.
  ///
  /// - Parameters:
  ///   - x: `[batch, length, width]`
  ///   - keys: which keys queries see.
  ///   - addend: `[batch, length, width]`, added to the result.
  /// - Returns: `[batch, length, width]`
  package func callAsFunction(
    _ x: NDArray<Scalar>, keys: KeyPlan, adding addend: NDArray<Scalar>? = nil
  ) -> NDArray<Scalar> {
    let parts = project(x, by: [query.projection, key.projection, value.projection])
    let result = attention(
      query: parts[0], key: parts[1], value: parts[2], heads: shape.heads,
      scores: Scores(scale: scale, bias: .pairs(bias(of: parts[0])), keys: keys))
    return output(result, adding: addend)
  }

  /// What distances add to scores: `[batch, heads, length, length]`.
  private func bias(of queries: NDArray<Scalar>) -> NDArray<Scalar> {
    let (batch, length) = (queries.shape[0], queries.shape[1])
    let (heads, count) = (shape.heads, vectors.rows)
    let products = project(
      queries.reshaped([batch, length, heads, shape.headSize]),
      by: Projection(weight: vectors, bias: nil))
    var bias = NDArray<Scalar>(shape: [batch, heads, length, length], repeating: 0)
    for row in 0..<batch {
      for place in 0..<length {
        for head in 0..<heads {
          let first = ((row * length + place) * heads + head) * count
          let start = ((row * heads + head) * length + place) * length
          for other in 0..<length {
            let distance = min(max(other - place, -before), count - 1 - before)
            bias.elements[start + other] =
              products.elements[first + distance + before] * Scalar(scale)
          }
        }
      }
    }
    return bias
  }
}
