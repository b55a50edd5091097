import Kernels
import Models
import TensorCore

/// What a learned vector sees in a picture, and a feed-forward network behind it: `y = x + f(norm(x))`.
///
/// Zhai et al., arXiv 2106.04560, §3.3; the vector, called a probe, is not added to what it sees.
struct AttentionPooler<Scalar: ComputeScalar> {
  private let probe: NDArray<Scalar>  // [1, width]
  private let attention: Attention<Scalar>
  private let norm: Norm<Scalar>
  private let feedForward: FeedForward<Scalar>

  init(
    _ scope: WeightScope<Scalar>, width: Int, _ shape: AttentionShape, _ form: FeedForwardForm,
    _ norm: NormForm
  ) throws(CheckpointError) {
    probe = try scope.module("probe", .embedding).weight("weight", [1, width], .embedding)
    attention = try Attention(scope.module("attention", .attention), width: width, shape: shape)
    self.norm = try Norm(scope, "norm", norm, width: width)
    feedForward = try form.load(scope.module("feed_forward", .feedForward), width: width)
  }

  /// `[batch, tokens, width]` to `[batch, width]`.
  ///
  /// - Parameter counted: which tokens are no padding, if some are.
  func callAsFunction(
    _ x: NDArray<Scalar>, counted: NDArray<Bool>?, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    let batch = x.shape[0]
    let probes = NDArray(
      shape: [batch, 1, x.width], elements: (0..<batch).flatMap { _ in probe.elements })
    let seen = attention(probes, over: x, keys: KeyPlan(allowed: counted), &states)
    return position(0, of: feedForward(norm(seen), adding: seen))
  }
}
