package import Kernels
import TensorCore

/// What each head makes of its biases for distances, by what stands at the query's place in its part of the stream.
///
/// Chi et al.: "XLM-E", arXiv 2106.16138, §3.3 (gated relative position bias).
package struct BiasGate<Scalar: ComputeScalar> {
  private let first: Linear<Scalar>
  private let second: Linear<Scalar>
  private let scale: NDArray<Scalar>  // [heads]
  private let heads: Int

  /// Four numbers are added up for each of both gates.
  private static var addends: Int { 4 }

  /// - Parameter width: of the stream, of which each head reads an equal part.
  init(_ scope: WeightScope<Scalar>, width: Int, heads: Int) throws(CheckpointError) {
    func linear(_ name: String) throws(CheckpointError) -> Linear<Scalar> {
      let scope = scope.module(name, .linear)
      scope.declare(.sum(of: Self.addends))
      return try Linear(scope, in: width / heads, out: Self.addends)
    }
    first = try linear("gate_1")
    second = try linear("gate_2")
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
    let read = x.reshaped([batch * queries * heads, x.width / heads])
    func gates(_ linear: Linear<Scalar>) -> [Scalar] {
      let parts = linear(read)
      let sums = (0..<parts.rows).map { parts.row($0).reduce(0, +) }
      return apply(.sigmoid, to: NDArray(shape: [parts.rows], elements: sums)).elements
    }
    let (one, other) = (gates(first), gates(second))
    var bias = NDArray<Scalar>(shape: [batch, heads, queries, keys], repeating: 0)
    for row in 0..<batch {
      for query in 0..<queries {
        for head in 0..<heads {
          let gate = (row * queries + query) * heads + head
          let factor = one[gate] * (other[gate] * scale.elements[head] - 1) + 2
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
