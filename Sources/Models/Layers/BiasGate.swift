package import Kernels
import TensorCore

/// What each head makes of its biases for distances, by what stands at the query's place in its part of the stream.
///
/// Chi et al.: "XLM-E", arXiv 2106.16138, §3.3 (gated relative position bias).
package struct BiasGate<Scalar: ComputeScalar> {
  private let projection: Linear<Scalar>
  private let scale: NDArray<Scalar>  // [heads]
  private let heads: Int

  /// Four numbers are added up for each of both gates.
  private static var addends: Int { 4 }

  /// - Parameter width: of the stream, of which each head reads an equal part.
  init(_ scope: WeightScope<Scalar>, width: Int, heads: Int) throws(CheckpointError) {
    projection = try Linear(
      scope.module("gate", .linear), in: width / heads, out: 2 * Self.addends)
    scale = try scope.weight("gate_scale", [heads], .normWeight)
    self.heads = heads
  }

  /// The biases of all pairs of a query and a key.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, width]`
  ///   - strip: `[heads, queries + keys − 1]`, those of distances from the last query and the first key on.
  package func callAsFunction(
    _ x: NDArray<Scalar>, _ strip: NDArray<Scalar>
  ) -> ScoreBias<Scalar> {
    let (batch, queries) = (x.shape[0], x.shape[1])
    let keys = strip.width + 1 - queries
    let parts = projection(x.reshaped([batch, queries, heads, x.width / heads]))
    let sums = NDArray(
      shape: [batch, queries, heads, 2],
      elements: (0..<2 * batch * queries * heads).map { index in
        parts.elements[index * Self.addends..<(index + 1) * Self.addends].reduce(0, +)
      })
    let gates = apply(.sigmoid, to: sums).elements
    var bias = NDArray<Scalar>(shape: [batch, heads, queries, keys], repeating: 0)
    for row in 0..<batch {
      for query in 0..<queries {
        for head in 0..<heads {
          let gate = 2 * ((row * queries + query) * heads + head)
          let factor = gates[gate] * (gates[gate + 1] * scale.elements[head] - 1) + 2
          let start = ((row * heads + head) * queries + query) * keys
          let first = head * strip.width + queries - 1 - query
          for key in 0..<keys {
            bias.elements[start + key] = factor * strip.elements[first + key]
          }
        }
      }
    }
    return .pairs(bias)
  }
}
