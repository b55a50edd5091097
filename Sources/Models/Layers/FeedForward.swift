public import Kernels
package import TensorCore

/// The position-wise feed-forward network: `down(activation(up(x)))`, or gated
/// `down(activation(gate(x)) ⊙ up(x))`.
///
/// Vaswani et al., arXiv 1706.03762, eq. 2; gated: Shazeer, arXiv 2002.05202, eq. 6.
public struct FeedForward<Scalar: ComputeScalar> {
  let gate: Linear<Scalar>?
  let up: Linear<Scalar>
  let down: Linear<Scalar>

  /// - Parameters:
  ///   - width: of the stream it reads and writes.
  ///   - hidden: the width inside.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, hidden: Int, activation: Activation,
    isGated: Bool = false, bias: Bool = true
  ) throws(CheckpointError) {
    gate =
      isGated
      ? try Linear(
        scope.module("gate", .linear), in: width, out: hidden, bias: bias, activation: activation)
      : nil
    up = try Linear(
      scope.module("up", .linear), in: width, out: hidden, bias: bias,
      activation: isGated ? .linear : activation)
    down = try Linear(scope.module("down", .linear), in: hidden, out: width, bias: bias)
    scope.declare(.feedForward(hidden: hidden))
  }

  /// `[…, width]` to the same.
  ///
  /// - Parameter addend: `[…, width]`, added to the result.
  package func callAsFunction(
    _ x: NDArray<Scalar>, adding addend: NDArray<Scalar>? = nil
  ) -> NDArray<Scalar> {
    guard let gate else { return down(up(x), adding: addend) }
    let parts = project(x, by: [gate.projection, up.projection])
    return down(multiply(parts[0], parts[1]), adding: addend)
  }
}
