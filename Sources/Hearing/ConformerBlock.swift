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
  /// The convolution's part.
  public var convolution: ConvolutionForm
  /// All normalisations.
  public var norm: NormForm
  /// Whether queries, keys, values and the output of attention have biases.
  public var hasBias = true
  /// Whether frames of padding attend to nothing, which is to all frames alike.
  public var hidesQueries = false

  /// Describes a block.
  public init(
    shape: AttentionShape, feedForward: FeedForwardForm, convolution: ConvolutionForm,
    norm: NormForm, hasBias: Bool = true, hidesQueries: Bool = false
  ) {
    self.shape = shape
    self.feedForward = feedForward
    self.convolution = convolution
    self.norm = norm
    (self.hasBias, self.hidesQueries) = (hasBias, hidesQueries)
  }

  /// The convolution's part of a block, described.
  public struct ConvolutionForm: Sendable, Equatable {
    /// What is normalised behind the convolution.
    public enum Normalization: Sendable {
      /// Each channel by statistics of training. Ioffe & Szegedy, arXiv 1502.03167.
      case statistics
      /// The channels of each frame.
      case layer
    }

    /// Where frames of padding become zero.
    public enum Silence: Sendable {
      case nowhere
      case beforeGate
      case behindGate
    }

    /// How many frames it sees: an odd number.
    public var kernel: Int
    /// What is applied behind the normalisation.
    public var activation: Activation
    /// Whether its layers have biases.
    public var hasBias = false
    /// Whether it sees no frame behind its own.
    public var isCausal = false
    /// What is normalised.
    public var normalization = Normalization.statistics
    /// What becomes of padding.
    public var silence = Silence.nowhere

    /// Describes a convolution.
    public init(
      kernel: Int, activation: Activation, hasBias: Bool = false, isCausal: Bool = false,
      normalization: Normalization = .statistics, silence: Silence = .nowhere
    ) {
      (self.kernel, self.activation) = (kernel, activation)
      (self.hasBias, self.isCausal) = (hasBias, isCausal)
      (self.normalization, self.silence) = (normalization, silence)
    }
  }
}

/// A block with its weights.
struct ConformerBlock<Scalar: ComputeScalar> {
  private enum AttentionLayer {
    case plain(Attention<Scalar>)
    case relative(RelativeAttention<Scalar>)
    case near(DistanceAttention<Scalar>)
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
    _ scope: WeightScope<Scalar>, _ form: ConformerForm, width: Int, _ positions: FramePositions
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
    switch positions {
    case .relative:
      attention = .relative(
        try RelativeAttention(
          inner, width: width, shape: form.shape, comparesKinds: false, bias: form.hasBias))
    case .near(let before, let after):
      attention = .near(
        try DistanceAttention(
          inner, width: width, shape: form.shape, before: before, after: after,
          bias: form.hasBias))
    case .convolution, .none, .rotary:
      attention = .plain(
        try Attention(inner, width: width, shape: form.shape, bias: form.hasBias))
    }
    convolution = try ConformerConvolution(
      scope.module("convolution", .block), form.convolution, form.norm, width: width)
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
      x = attention(
        normal, over: normal, distances: distances, differs: nil,
        allowed: allowed.map(pairs), adding: x)
    case .near(let attention):
      x = attention(normal, keys: KeyPlan(allowed: allowed.map(pairs)), adding: x)
    case .plain(let attention):
      let turned = turns.map {
        rotate(normal, by: $0, heads: form.shape.heads, layout: .halves)
      }
      x = attention(
        normal, comparing: turned ?? normal, keys: KeyPlan(allowed: allowed, after: nil), adding: x)
    }
    x = add(x, convolution(x, allowed: allowed))
    return norm(add(x, scaled(second(secondNorm(x), adding: nil), by: 0.5)))
  }

  /// Which frames each frame sees, of a mask of frames: `[batch, frames, frames]`.
  private func pairs(of mask: NDArray<Bool>) -> NDArray<Bool> {
    let (batch, frames) = (mask.shape[0], mask.shape[1])
    let none = [Bool](repeating: false, count: frames)
    let elements = (0..<batch).flatMap { row in
      let own = Array(mask.row(row))
      return own.flatMap { !form.hidesQueries || $0 ? own : none }
    }
    return NDArray(shape: [batch, frames, frames], elements: elements)
  }
}

/// The convolution's part of a block: a gate, a convolution of each channel by itself, and a normalisation by statistics of
/// training. §2.2.
private struct ConformerConvolution<Scalar: ComputeScalar> {
  private enum Normalization {
    case statistics(ChannelStatistics<Scalar>)
    case layer(Norm<Scalar>)
  }

  private let form: ConformerForm.ConvolutionForm
  private let norm: Norm<Scalar>
  private let gated: Linear<Scalar>
  private let weight: NDArray<Scalar>
  private let bias: NDArray<Scalar>?
  private let normalization: Normalization
  private let output: Linear<Scalar>

  init(
    _ scope: WeightScope<Scalar>, _ form: ConformerForm.ConvolutionForm, _ normForm: NormForm,
    width: Int
  ) throws(CheckpointError) {
    self.form = form
    norm = try Norm(scope, "norm", normForm, width: width)
    gated = try Linear(
      scope.module("gate", .linear), in: width, out: 2 * width, bias: form.hasBias)
    let depthwise = scope.module("depthwise", .linear)
    weight = try depthwise.weight("weight", [width, 1, form.kernel], .linear)
    bias = form.hasBias ? try depthwise.weight("bias", [width], .bias) : nil
    switch form.normalization {
    case .statistics:
      normalization = .statistics(
        try ChannelStatistics(scope.module("statistics", .layerNorm), channels: width))
    case .layer: normalization = .layer(try Norm(scope, "inner_norm", normForm, width: width))
    }
    output = try Linear(
      scope.module("output", .linear), in: width, out: width, bias: form.hasBias)
  }

  /// `[batch, frames, width]` to the same.
  ///
  /// - Parameter allowed: `[batch, frames]`, what is no padding; `nil` for all.
  func callAsFunction(_ x: NDArray<Scalar>, allowed: NDArray<Bool>?) -> NDArray<Scalar> {
    let width = x.width
    var x = norm(x)
    if form.silence == .beforeGate { x = silenced(x, allowed) }
    let parts = split(gated(x), axis: 2, sizes: [width, width])
    x = multiply(parts[0], apply(.sigmoid, to: parts[1]))
    if form.silence == .behindGate { x = silenced(x, allowed) }
    let before = form.isCausal ? form.kernel - 1 : (form.kernel - 1) / 2
    let y = convolve(
      permute(x, [0, 2, 1]), weight: weight, bias: bias,
      axis: ConvolutionAxis(before: before, after: form.kernel - 1 - before), groups: width)
    let frames = permute(y, [0, 2, 1])
    let normal: NDArray<Scalar> =
      switch normalization {
      case .statistics(let statistics): statistics(frames)
      case .layer(let norm): norm(frames)
      }
    return output(apply(form.activation, to: normal))
  }

  private func silenced(_ x: NDArray<Scalar>, _ allowed: NDArray<Bool>?) -> NDArray<Scalar> {
    guard let allowed else { return x }
    let factors = NDArray(
      shape: allowed.shape + [1], elements: allowed.elements.map { Scalar($0 ? 1 : 0) })
    return multiplyBroadcasting(x, factors)
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
