public import Kernels
package import TensorCore

/// `y = activation(x·Wᵀ + b)`
public struct Linear<Scalar: ComputeScalar> {
  let projection: Projection<Scalar>

  /// Asks `scope` for `weight` `[out, in]` and, unless told otherwise, `bias` `[out]`.
  ///
  /// - Parameter origin: what both are where they are not stored.
  package init(
    _ scope: WeightScope<Scalar>, in input: Int, out output: Int, bias hasBias: Bool = true,
    activation: Activation = .linear, origin: WeightOrigin? = nil
  ) throws(CheckpointError) {
    let weight = try scope.weight("weight", [output, input], .linear, origin: origin)
    let bias = hasBias ? try scope.weight("bias", [output], .bias, origin: origin) : nil
    projection = Projection(weight: weight, bias: bias, activation: activation)
  }

  /// `[…, in]` to `[…, out]`
  ///
  /// - Parameter addend: `[…, out]`, added to the result.
  package func callAsFunction(
    _ x: NDArray<Scalar>, adding addend: NDArray<Scalar>? = nil
  ) -> NDArray<Scalar> {
    project(x, by: projection, adding: addend)
  }
}
