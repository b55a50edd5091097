public import Kernels
package import TensorCore

/// Layer normalisation with gain and, unless told otherwise, offset. See `layerNorm`.
public struct LayerNorm<Scalar: ComputeScalar> {
  let weight: NDArray<Scalar>  // [width]
  let bias: NDArray<Scalar>  // [width]
  let epsilon: Double

  package init(
    _ scope: WeightScope<Scalar>, width: Int, epsilon: Double, bias hasBias: Bool = true
  ) throws(CheckpointError) {
    weight = try scope.weight("weight", [width], .normWeight)
    bias =
      hasBias
      ? try scope.weight("bias", [width], .normBias) : NDArray(shape: weight.shape, repeating: 0)
    self.epsilon = epsilon
  }

  /// `[…, width]` to the same.
  package func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// Root-mean-square normalisation with gain. See `rmsNorm`.
public struct RMSNorm<Scalar: ComputeScalar> {
  private let gain: NDArray<Scalar>  // [width]
  let epsilon: Double

  /// - Parameters:
  ///   - width: of what is normalised.
  ///   - gainOffset: what is added to the stored weights to get the gain: 1 in Gemma, whose weights are
  ///     stored as their distance from it.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, epsilon: Double, gainOffset: Double = 0
  ) throws(CheckpointError) {
    let weight = try scope.weight("weight", [width], .normWeight)
    gain =
      gainOffset == 0
      ? weight : addBroadcasting(weight, NDArray(shape: [1], elements: [Scalar(gainOffset)]))
    self.epsilon = epsilon
  }

  /// `[…, width]` to the same.
  package func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    rmsNorm(x, weight: gain, epsilon: epsilon)
  }
}
