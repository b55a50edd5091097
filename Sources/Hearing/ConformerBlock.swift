public import Kernels
public import Models
import TensorCore

/// A block of attention and a convolution between two halves of a feed-forward network, described. Gulati et al.:
/// "Conformer", arXiv 2005.08100, §2, fig. 1.
public struct ConformerForm: Sendable, Equatable {
  /// The heads of attention.
  public var shape: AttentionShape
  /// The feed-forward networks, of which half of the result is added.
  public var feedForward: FeedForwardForm
  /// How many frames the convolution sees: an odd number.
  public var kernel: Int
  /// What is applied in the convolution's part.
  public var activation: Activation
  /// All normalisations.
  public var norm: NormForm

  /// Describes a block.
  public init(
    shape: AttentionShape, feedForward: FeedForwardForm, kernel: Int, activation: Activation,
    norm: NormForm
  ) {
    self.shape = shape
    self.feedForward = feedForward
    self.kernel = kernel
    self.activation = activation
    self.norm = norm
  }
}

/// A block with its weights.
struct ConformerBlock<Scalar: ComputeScalar> {
  private enum AttentionLayer {
    case plain(Attention<Scalar>)
    case relative(RelativeAttention<Scalar>)
  }

  private let form: ConformerForm
  private let first: FeedForward<Scalar>
  private let firstNorm: Norm<Scalar>
  private let attention: AttentionLayer
  private let attentionNorm: Norm<Scalar>
  private let convolution: ConformerConvolution<Scalar>
  private let second: FeedForward<Scalar>
  private let secondNorm: Norm<Scalar>
  private let norm: Norm<Scalar>

  init(
    _ scope: WeightScope<Scalar>, _ form: ConformerForm, width: Int, isRelative: Bool
  ) throws(CheckpointError) {
    self.form = form
    func norm(_ name: String) throws(CheckpointError) -> Norm<Scalar> {
      try Norm(scope, name, form.norm, width: width)
    }
    firstNorm = try norm("feed_forward_1_norm")
    first = try form.feedForward.load(
      scope.module("feed_forward_1", .feedForward), width: width)
    attentionNorm = try norm("attention_norm")
    let inner = scope.module("attention", .attention)
    attention =
      isRelative
      ? .relative(
        try RelativeAttention(
          inner, width: width, shape: form.shape, comparesKinds: false, bias: true))
      : .plain(try Attention(inner, width: width, shape: form.shape))
    convolution = try ConformerConvolution(
      scope.module("convolution", .block), form, width: width)
    secondNorm = try norm("feed_forward_2_norm")
    second = try form.feedForward.load(
      scope.module("feed_forward_2", .feedForward), width: width)
    self.norm = try norm("norm")
  }

  /// `[batch, frames, width]` to the same.
  ///
  /// - Parameters:
  ///   - allowed: `[batch, frames]`, what is no padding; `nil` for all.
  ///   - distances: `[1, 2 · frames − 1, width]`, where they are compared.
  ///   - turns: the table by which what queries and keys are made of is turned, where it is.
  func callAsFunction(
    _ x: NDArray<Scalar>, allowed: NDArray<Bool>?, distances: NDArray<Scalar>?,
    turns: NDArray<Scalar>?
  ) -> NDArray<Scalar> {
    var x = add(x, scaled(first(firstNorm(x), adding: nil), by: 0.5))
    let normal = attentionNorm(x)
    switch attention {
    case .relative(let attention):
      guard let distances else { break }
      let frames = x.shape[1]
      let pairs = allowed.map { mask in
        NDArray(
          shape: [x.shape[0], frames, frames],
          elements: (0..<x.shape[0]).flatMap { row in
            (0..<frames).flatMap { _ in mask.row(row) }
          })
      }
      x = attention(
        normal, over: normal, distances: distances, differs: nil, allowed: pairs, adding: x)
    case .plain(let attention):
      let turned = turns.map {
        rotate(normal, by: $0, heads: form.shape.heads, layout: .halves)
      }
      x = attention(
        normal, comparing: turned ?? normal, keys: KeyPlan(allowed: allowed, after: nil), adding: x)
    }
    x = add(x, convolution(x))
    return norm(add(x, scaled(second(secondNorm(x), adding: nil), by: 0.5)))
  }
}

/// The convolution's part of a block: a gate, a convolution of each channel by itself, and a normalisation by statistics of
/// training. §2.2.
private struct ConformerConvolution<Scalar: ComputeScalar> {
  private let form: ConformerForm
  private let norm: Norm<Scalar>
  private let gated: Linear<Scalar>
  private let weight: NDArray<Scalar>
  private let statistics: ChannelStatistics<Scalar>
  private let output: Linear<Scalar>

  init(
    _ scope: WeightScope<Scalar>, _ form: ConformerForm, width: Int
  ) throws(CheckpointError) {
    self.form = form
    norm = try Norm(scope, "norm", form.norm, width: width)
    gated = try Linear(scope.module("gate", .linear), in: width, out: 2 * width, bias: false)
    weight = try scope.module("depthwise", .linear).weight(
      "weight", [width, 1, form.kernel], .linear)
    statistics = try ChannelStatistics(scope.module("statistics", .layerNorm), channels: width)
    output = try Linear(scope.module("output", .linear), in: width, out: width, bias: false)
  }

  /// `[batch, frames, width]` to the same.
  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    let width = x.width
    let parts = split(gated(norm(x)), axis: 2, sizes: [width, width])
    let y = convolve(
      permute(multiply(parts[0], apply(.sigmoid, to: parts[1])), [0, 2, 1]), weight: weight,
      bias: nil, axis: ConvolutionAxis(padding: (form.kernel - 1) / 2), groups: width)
    return output(apply(form.activation, to: statistics(permute(y, [0, 2, 1]))))
  }
}

/// Normalisation of channels by means and variances that training has found. Ioffe & Szegedy, arXiv 1502.03167, alg. 2.
private struct ChannelStatistics<Scalar: ComputeScalar> {
  private let gain: NDArray<Scalar>
  private let offset: NDArray<Scalar>

  init(_ scope: WeightScope<Scalar>, channels: Int) throws(CheckpointError) {
    let weight = try scope.weight("weight", [channels], .normWeight)
    let bias = try scope.weight("bias", [channels], .normBias)
    let mean = try scope.weight("mean", [channels], .normBias)
    let variance = try scope.weight("variance", [channels], .normWeight)
    var gain = weight
    for index in gain.elements.indices {
      gain.elements[index] /= (variance.elements[index] + Scalar(1e-5)).squareRoot()
    }
    offset = add(bias, scaled(multiply(gain, mean), by: -1))
    self.gain = gain
  }

  /// `[…, channels]` to the same.
  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    addBroadcasting(multiplyBroadcasting(x, gain), offset)
  }
}
