public import Kernels
package import TensorCore

/// A normalisation of channels over all places, each by itself or all together, with gain and offset of each.
///
/// Wu & He, arXiv 1803.08494, eq. 7, with as many groups as channels, or with one.
public struct ChannelNorm<Scalar: ComputeScalar> {
  private let gain: NDArray<Scalar>  // [channels]
  private let offset: NDArray<Scalar>  // [channels]
  private let isOfAll: Bool

  /// - Parameter isOfAll: whether all channels are normalised together.
  package init(
    _ scope: WeightScope<Scalar>, channels: Int, isOfAll: Bool = false
  ) throws(CheckpointError) {
    gain = try scope.weight("weight", [channels], .normWeight)
    offset = try scope.weight("bias", [channels], .normBias)
    self.isOfAll = isOfAll
  }

  /// `[batch, channels, places]` to the same.
  package func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    let (channels, places) = (x.shape[1], x.shape[2])
    let width = isOfAll ? channels * places : places
    let normal = layerNorm(
      isOfAll ? x.reshaped([x.shape[0], width]) : x,
      weight: NDArray(shape: [width], repeating: 1),
      bias: NDArray(shape: [width], repeating: 0), epsilon: 1e-5)
    return addBroadcasting(
      multiplyBroadcasting(normal.reshaped(x.shape), gain.reshaped([channels, 1])),
      offset.reshaped([channels, 1]))
  }
}
