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
