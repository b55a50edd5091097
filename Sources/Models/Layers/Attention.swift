public import Kernels
import TensorCore

/// Multi-head attention: projections to queries, keys and values, and from the heads back.
///
/// Vaswani et al., arXiv 1706.03762, §3.2.2.
public struct Attention<Scalar: ComputeScalar> {
  let query: Linear<Scalar>
  let key: Linear<Scalar>
  let value: Linear<Scalar>
  let output: Linear<Scalar>
  let heads: Int
  let scale: Double
  /// The layer's canonical path, under which it keeps its keys and values.
  private let path: String

  /// - Parameters:
  ///   - width: of the stream it reads and writes.
  ///   - innerWidth: of all heads together; `width` if not given. `heads` divides it.
  ///   - scale: what scores are multiplied by; head size^−½ if not given.
  init(
    _ scope: WeightScope<Scalar>, width: Int, innerWidth: Int? = nil, heads: Int,
    scale: Double? = nil, bias: Bool = true
  ) throws(CheckpointError) {
    let inner = innerWidth ?? width
    query = try Linear(scope.module("query", .linear), in: width, out: inner, bias: bias)
    key = try Linear(scope.module("key", .linear), in: width, out: inner, bias: bias)
    value = try Linear(scope.module("value", .linear), in: width, out: inner, bias: bias)
    output = try Linear(scope.module("output", .linear), in: inner, out: width, bias: bias)
    self.heads = heads
    self.scale = scale ?? 1 / Double(inner / heads).squareRoot()
    path = scope.path
  }

  /// Attention of a sequence to itself, and to what came before it if `states` keeps that.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, width]`
  ///   - mask: over all keys, those that came before included.
  ///   - bias: `[heads, queries + keys − 1]`, added to the scores. See `Kernels.attention`.
  ///   - addend: `[batch, queries, width]`, added to the result.
  /// - Returns: `[batch, queries, width]`
  func callAsFunction(
    _ x: NDArray<Scalar>, mask: AttentionMask, bias: NDArray<Scalar>? = nil,
    adding addend: NDArray<Scalar>, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    let parts = project(x, by: [query.projection, key.projection, value.projection])
    let pair = states.extendKeysAndValues(at: path, by: KeysAndValues(parts[1], parts[2]))
    return attend(parts[0], to: pair, mask: mask, bias: bias, adding: addend)
  }

  /// Attention of a sequence to another one, which stays the same while `states` keeps its keys.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, width]`
  ///   - source: `[batch, keys, width]`
  ///   - addend: `[batch, queries, width]`, added to the result.
  /// - Returns: `[batch, queries, width]`
  func callAsFunction(
    _ x: NDArray<Scalar>, over source: NDArray<Scalar>, mask: AttentionMask,
    adding addend: NDArray<Scalar>, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    let pair = states.keepKeysAndValues(at: path) {
      let parts = project(source, by: [key.projection, value.projection])
      return KeysAndValues(parts[0], parts[1])
    }
    return attend(query(x), to: pair, mask: mask, bias: nil, adding: addend)
  }

  private func attend(
    _ queries: NDArray<Scalar>, to pair: KeysAndValues<Scalar>, mask: AttentionMask,
    bias: NDArray<Scalar>?, adding addend: NDArray<Scalar>
  ) -> NDArray<Scalar> {
    let x = attention(
      query: queries, key: pair.keys, value: pair.values, keys: pair.count, heads: heads,
      scale: scale, bias: bias, mask: mask)
    return output(x, adding: addend)
  }
}
