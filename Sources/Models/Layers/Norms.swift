public import Kernels
import TensorCore

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

  /// `[…, width]` to the same.
  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// Root-mean-square normalisation with gain. See `rmsNorm`.
public struct RMSNorm<Scalar: ComputeScalar> {
  let weight: NDArray<Scalar>  // [width]
  let epsilon: Double

  init(
    _ scope: WeightScope<Scalar>, width: Int, epsilon: Double
  ) throws(CheckpointError) {
    weight = try scope.weight("weight", [width], .normWeight)
    self.epsilon = epsilon
  }

  /// `[…, width]` to the same.
  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    rmsNorm(x, weight: weight, epsilon: epsilon)
  }
}
