package import Kernels
package import TensorCore

/// Attention of a text to what an encoder made of another one, described. See `Attention`.
///
/// Vaswani et al., arXiv 1706.03762, §3.2.3.
public struct CrossAttentionForm: Sendable, Equatable {
  /// Heads and their sizes.
  public var shape: AttentionShape
  /// What scores are multiplied by; head size^−½ if not given.
  public var scale: Double?
  /// The state that has the other text's vectors, or the input; where there is neither, the layer does nothing.
  public var source: String
  /// The input that says what of the other text is no padding; or, where none is called so, the state.
  public var mask: String
  /// Whether there are biases.
  public var hasBias = true
  /// Whether the output has one.
  public var hasOutputBias = true
  /// Whether keys have a bias, as queries and values have.
  public var hasKeyBias = true
  /// What files may hold of the layer that is no weight.
  public var buffers = AttentionBuffers()

  /// Describes a layer.
  public init(
    heads: Int, headSize: Int, scale: Double? = nil, source: String, mask: String,
    buffers: AttentionBuffers = AttentionBuffers()
  ) {
    shape = AttentionShape(heads: heads, headSize: headSize, isCross: true)
    self.scale = scale
    self.source = source
    self.mask = mask
    self.buffers = buffers
  }

  /// Describes a layer of a decoder that is not said what encoder it looks at: its states are given, under the names
  /// that Hugging Face's decoders have for them.
  public static func ofGivenStates(
    heads: Int, headSize: Int, scale: Double? = nil, buffers: AttentionBuffers = AttentionBuffers()
  ) -> CrossAttentionForm {
    CrossAttentionForm(
      heads: heads, headSize: headSize, scale: scale, source: InputSlot.encoderStates,
      mask: InputSlot.encoderMask, buffers: buffers)
  }

  /// Asks for the layer's weights, and those of its normalisation.
  package func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int, norm: NormForm
  ) throws(CheckpointError) -> CrossAttention<Scalar> {
    let norm = try Norm(scope, "cross_attention_norm", norm, width: width)
    let scope = scope.module("cross_attention", .attention)
    buffers.declare(in: scope, window: nil)
    return CrossAttention(
      form: self, norm: norm,
      attention: try Attention(
        scope, width: width, shape: shape, scale: scale, bias: hasBias,
        keyBias: hasKeyBias ? nil : false, outputBias: hasOutputBias && hasBias))
  }
}

/// Attention to another text, with its weights.
package struct CrossAttention<Scalar: ComputeScalar> {
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
  package func callAsFunction(
    _ x: NDArray<Scalar>, normsAfter: Bool, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    guard let source = states.stateOrInput(form.source) else { return x }
    let keys = KeyPlan(
      allowed: states.inputs.mask(form.mask) ?? states.stateIfSet(form.mask)?.isSet)
    let y = attention(normsAfter ? x : norm(x), over: source, keys: keys, adding: x, &states)
    return normsAfter ? norm(y) : y
  }
}
