public import Kernels
import TensorCore

/// `y = x·Wᵀ + b`
public struct Linear<Scalar: ComputeScalar> {
  let weight: NDArray<Scalar>  // [out, in]
  let bias: NDArray<Scalar>?  // [out]

  /// Asks `scope` for `weight` `[out, in]` and, unless told otherwise, `bias` `[out]`.
  init(
    _ scope: WeightScope<Scalar>, in input: Int, out output: Int, bias hasBias: Bool = true
  ) throws(CheckpointError) {
    weight = try scope.weight("weight", [output, input], .linear)
    bias = hasBias ? try scope.weight("bias", [output], .bias) : nil
  }

  /// `[…, in]` to `[…, out]`
  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    linear(x, weight: weight, bias: bias)
  }
}

/// Layer normalisation with gain and offset. See `layerNorm`.
public struct LayerNorm<Scalar: ComputeScalar> {
  let weight: NDArray<Scalar>  // [width]
  let bias: NDArray<Scalar>  // [width]
  let epsilon: Double

  init(
    _ scope: WeightScope<Scalar>, width: Int, epsilon: Double
  ) throws(CheckpointError) {
    weight = try scope.weight("weight", [width], .normWeight)
    bias = try scope.weight("bias", [width], .normBias)
    self.epsilon = epsilon
  }

  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// Multi-head self-attention: projections to queries, keys and values, and from the heads back.
///
/// Vaswani et al., arXiv 1706.03762, §3.2.2.
public struct SelfAttention<Scalar: ComputeScalar> {
  let query: Linear<Scalar>
  let key: Linear<Scalar>
  let value: Linear<Scalar>
  let output: Linear<Scalar>
  let heads: Int
  let scale: Double

  /// - Parameters:
  ///   - width: of the stream it reads and writes.
  ///   - heads: divides `width`.
  init(
    _ scope: WeightScope<Scalar>, width: Int, heads: Int
  ) throws(CheckpointError) {
    query = try Linear(scope.module("query", .linear), in: width, out: width)
    key = try Linear(scope.module("key", .linear), in: width, out: width)
    value = try Linear(scope.module("value", .linear), in: width, out: width)
    output = try Linear(scope.module("output", .linear), in: width, out: width)
    self.heads = heads
    scale = 1 / Double(width / heads).squareRoot()
  }

  /// `[batch, length, width]` to the same.
  func callAsFunction(_ x: NDArray<Scalar>, mask: AttentionMask) -> NDArray<Scalar> {
    output(
      attention(
        query: query(x), key: key(x), value: value(x), heads: heads, scale: scale, mask: mask))
  }
}

/// The position-wise feed-forward network: `down(activation(up(x)))`.
///
/// Vaswani et al., arXiv 1706.03762, eq. 2.
public struct FeedForward<Scalar: ComputeScalar> {
  let up: Linear<Scalar>
  let down: Linear<Scalar>
  let activation: Activation

  init(
    _ scope: WeightScope<Scalar>, width: Int, hidden: Int, activation: Activation
  ) throws(CheckpointError) {
    up = try Linear(scope.module("up", .linear), in: width, out: hidden)
    down = try Linear(scope.module("down", .linear), in: hidden, out: width)
    self.activation = activation
  }

  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    down(apply(activation, to: up(x)))
  }
}
