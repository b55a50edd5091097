public import Kernels
import TensorCore

/// The position-wise feed-forward network: `down(activation(up(x)))`, or gated
/// `down(activation(gate(x)) ⊙ up(x))`.
///
/// Vaswani et al., arXiv 1706.03762, eq. 2; gated: Shazeer, arXiv 2002.05202, eq. 6.
public struct FeedForward<Scalar: ComputeScalar> {
  let gate: Linear<Scalar>?
  let up: Linear<Scalar>
  let down: Linear<Scalar>
  let activation: Activation

  /// - Parameters:
  ///   - width: of the stream it reads and writes.
  ///   - hidden: the width inside.
  init(
    _ scope: WeightScope<Scalar>, width: Int, hidden: Int, activation: Activation,
    isGated: Bool = false, bias: Bool = true
  ) throws(CheckpointError) {
    gate =
      isGated
      ? try Linear(scope.module("gate", .linear), in: width, out: hidden, bias: bias) : nil
    up = try Linear(scope.module("up", .linear), in: width, out: hidden, bias: bias)
    down = try Linear(scope.module("down", .linear), in: hidden, out: width, bias: bias)
    self.activation = activation
  }

  /// `[…, width]` to the same.
  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    guard let gate else { return down(apply(activation, to: up(x))) }
    return down(multiply(apply(activation, to: gate(x)), up(x)))
  }
}
