import Kernels
import TensorCore

/// Attention of a text to what an encoder made of another one, described. See `Attention`.
///
/// Vaswani et al., arXiv 1706.03762, §3.2.3.
public struct CrossAttentionForm: Sendable, Equatable {
  /// Heads and their sizes.
  public var shape: AttentionShape
  /// The state that has the other text's vectors.
  public var source: String
  /// The input that says what of the other text is no padding.
  public var mask: String

  /// Describes a layer.
  public init(heads: Int, headSize: Int, source: String, mask: String) {
    shape = AttentionShape(heads: heads, headSize: headSize, isCross: true)
    self.source = source
    self.mask = mask
  }

  /// Asks for the layer's weights, and those of its normalisation.
  func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int, norm: NormForm
  ) throws(CheckpointError) -> CrossAttention<Scalar> {
    CrossAttention(
      form: self, norm: try Norm(scope, "cross_attention_norm", norm, width: width),
      attention: try Attention(
        scope.module("cross_attention", .attention), width: width, shape: shape))
  }
}

/// Attention to another text, with its weights.
struct CrossAttention<Scalar: ComputeScalar> {
  let form: CrossAttentionForm
  let norm: Norm<Scalar>
  private let attention: Attention<Scalar>

  init(form: CrossAttentionForm, norm: Norm<Scalar>, attention: Attention<Scalar>) {
    self.form = form
    self.norm = norm
    self.attention = attention
  }

  /// `x = norm(x + f(x))` if the normalisation stands behind, else `x = x + f(norm(x))`: `[batch, length, width]` to
  /// the same.
  func callAsFunction(
    _ x: NDArray<Scalar>, normsAfter: Bool, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    let keys = KeyPlan(allowed: states.inputs.mask(form.mask))
    let source = states[form.source]
    let y = attention(normsAfter ? x : norm(x), over: source, keys: keys, adding: x, &states)
    return normsAfter ? norm(y) : y
  }
}
