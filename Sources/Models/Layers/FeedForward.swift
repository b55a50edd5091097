public import Kernels
package import TensorCore

/// The position-wise feed-forward network: `down(activation(up(x)))`, or gated
/// `down(activation(gate(x)) ⊙ up(x))`.
///
/// Vaswani et al., arXiv 1706.03762, eq. 2; gated: Shazeer, arXiv 2002.05202, eq. 6.
public struct FeedForward<Scalar: ComputeScalar> {
  /// What is multiplied with what goes through `up`, and how.
  let gate: Linear<Scalar>?
  let gating: Gating
  let up: Linear<Scalar>
  let down: Linear<Scalar>

  /// - Parameters:
  ///   - width: of the stream it writes, and reads unless told otherwise.
  ///   - hidden: the width inside.
  ///   - input: the width of what it reads.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, hidden: Int, activation: Activation,
    isGated: Bool = false, bias: Bool = true, from input: Int? = nil
  ) throws(CheckpointError) {
    try self.init(
      scope, width: width, hidden: hidden, activation: isGated ? .linear : activation,
      gating: isGated ? .product(activation) : nil, bias: bias, from: input)
  }

  /// - Parameters:
  ///   - activation: of what goes through `up`.
  ///   - gating: `nil` where there is no gate.
  init(
    _ scope: WeightScope<Scalar>, width: Int, hidden: Int, activation: Activation,
    gating: Gating?, bias: Bool, from input: Int? = nil
  ) throws(CheckpointError) {
    gate = try gating.map { gating throws(CheckpointError) in
      try Linear(
        scope.module("gate", .linear), in: input ?? width, out: hidden, bias: bias,
        activation: gating.activation)
    }
    self.gating = gating ?? .product(.linear)
    up = try Linear(
      scope.module("up", .linear), in: input ?? width, out: hidden, bias: bias,
      activation: activation)
    down = try Linear(scope.module("down", .linear), in: hidden, out: width, bias: bias)
    scope.declare(.feedForward(hidden: hidden))
  }

  /// `[…, width]`, or what it reads, to `[…, width]`.
  ///
  /// - Parameter addend: `[…, width]`, added to the result.
  package func callAsFunction(
    _ x: NDArray<Scalar>, adding addend: NDArray<Scalar>? = nil
  ) -> NDArray<Scalar> {
    guard let gate else { return down(up(x), adding: addend) }
    let parts = project(x, by: [gate.projection, up.projection])
    return down(gating.join(parts[0], parts[1]), adding: addend)
  }
}
