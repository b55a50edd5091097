public import Kernels
package import TensorCore

/// A block of a decoder, described: attention and a feed-forward network, and how both are added to the
/// stream.
public struct BlockForm: Sendable, Equatable {
  /// How the two layers of a block, their normalisations and the stream go together.
  public enum Arrangement: Sendable, Equatable {
    /// `x = x + f(norm(x))` for one, then for the other. Xiong et al., arXiv 2002.04745, §3.
    case normBefore
    /// `x = norm(x)`, then `x = x + f(x)`, for one, then for the other. Shoeybi et al., arXiv 1909.08053 (an
    /// option of Megatron-LM's code).
    case normOfStream
    /// `x = norm(x + f(x))`. Vaswani et al., arXiv 1706.03762, §3.1.
    case normAfter
    /// `x = x + norm(f(x))`. arXiv 2501.00656, §2.
    case normOfResult
    /// `x = x + norm'(f(norm(x)))`. arXiv 2408.00118, §2.
    case normAround
    /// Side by side, `x = x + f(norm(x)) + g(norm'(x))`; one normalisation for both if `sharesNorm`.
    case parallel(sharesNorm: Bool)
  }

  /// Attention.
  public var attention: SelfAttentionForm
  /// The feed-forward network, or several.
  public var feedForward: FeedingForm
  /// How both are put together.
  public var arrangement: Arrangement
  /// What all normalisations of the block are.
  public var norm: NormForm
  /// Whether attention's own normalisation is there, where one stands before it.
  public var hasAttentionNorm = true
  /// Attention to another text behind that to itself, in the same arrangement: its normalisation stands behind it
  /// in `normAfter`, else before it.
  public var cross: CrossAttentionForm?
  /// What the layers' results are multiplied by before they are added to the stream.
  public var residualFactor = 1.0
  /// Whether they are multiplied by learned numbers then, one for each of the stream's. Touvron et al., arXiv
  /// 2103.17239, §2.1.
  public var isScaled = false

  /// Describes a block with one feed-forward network.
  public init(
    attention: SelfAttentionForm, feedForward: FeedForwardForm,
    arrangement: Arrangement = .normBefore, norm: NormForm, residualFactor: Double = 1
  ) {
    self.init(
      attention: attention, feeding: .network(feedForward), arrangement: arrangement, norm: norm,
      residualFactor: residualFactor)
  }

  /// Describes a block.
  public init(
    attention: SelfAttentionForm, feeding feedForward: FeedingForm,
    arrangement: Arrangement = .normBefore, norm: NormForm, residualFactor: Double = 1
  ) {
    self.attention = attention
    self.feedForward = feedForward
    self.arrangement = arrangement
    self.norm = norm
    self.residualFactor = residualFactor
  }

  /// Asks for the block's weights, and returns what it makes of the stream.
  package func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int
  ) throws(CheckpointError) -> Block<Scalar> {
    func norm(_ name: String, if isThere: Bool) throws(CheckpointError) -> Norm<Scalar>? {
      isThere ? try Norm(scope, name, self.norm, width: width) : nil
    }
    func scale(_ name: String) throws(CheckpointError) -> NDArray<Scalar>? {
      guard isScaled else { return nil }
      return try scope.module(name, .linear).weight("weight", [width], .normWeight)
    }
    let (hasOwn, hasSecond, hasPost): (Bool, Bool, Bool) =
      switch arrangement {
      case .normBefore, .normAfter, .normOfStream: (true, true, false)
      case .normAround: (true, true, true)
      case .normOfResult: (false, false, true)
      case .parallel(let sharesNorm): (true, !sharesNorm, false)
      }
    return Block(
      form: self,
      attentionNorm: try norm("attention_norm", if: hasOwn && hasAttentionNorm),
      attention: try attention.load(scope.module("attention", .attention), width: width),
      attentionPostNorm: try norm("attention_post_norm", if: hasPost),
      attentionScale: try scale("attention_scale"),
      cross: try cross.map { cross throws(CheckpointError) in
        try cross.load(scope, width: width, norm: self.norm)
      },
      feedForwardNorm: try norm("feed_forward_norm", if: hasSecond),
      feedForward: try feedForward.load(scope, width: width),
      feedForwardPostNorm: try norm("feed_forward_post_norm", if: hasPost),
      feedForwardScale: try scale("feed_forward_scale"))
  }
}

/// A block with its weights.
package struct Block<Scalar: ComputeScalar> {
  let form: BlockForm
  let attentionNorm: Norm<Scalar>?
  let attention: SelfAttention<Scalar>
  let attentionPostNorm: Norm<Scalar>?
  let attentionScale: NDArray<Scalar>?
  let cross: CrossAttention<Scalar>?
  let feedForwardNorm: Norm<Scalar>?
  let feedForward: Feeding<Scalar>
  let feedForwardPostNorm: Norm<Scalar>?
  let feedForwardScale: NDArray<Scalar>?

  /// `[batch, length, width]` to the same.
  package func callAsFunction(
    _ x: NDArray<Scalar>, _ states: inout States<Scalar>
  ) throws(CheckpointError) -> NDArray<Scalar> {
    switch form.arrangement {
    case .normAfter:
      let y = crossing(attentionNorm.applied(to: attending(x, onto: x, &states)), &states)
      return feedForwardNorm.applied(to: try feeding(y, onto: y))
    case .normBefore, .normOfResult, .normAround:
      let y = crossing(attending(attentionNorm.applied(to: x), onto: x, &states), &states)
      return try feeding(feedForwardNorm.applied(to: y), onto: y)
    case .normOfStream:
      let own = attentionNorm.applied(to: x)
      let y = feedForwardNorm.applied(
        to: crossing(attending(own, onto: own, &states), &states))
      return try feeding(y, onto: y)
    case .parallel:
      let own = attentionNorm.applied(to: x)
      let y = crossing(attending(own, onto: x, &states), &states)
      return try feeding(feedForwardNorm.map { $0(x) } ?? own, onto: y)
    }
  }

  private func attending(
    _ x: NDArray<Scalar>, onto stream: NDArray<Scalar>, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    guard isPlain(attentionPostNorm) else {
      return add(
        attention(x, adding: nil, &states), normalised: attentionPostNorm, scaledBy: attentionScale,
        onto: stream)
    }
    return attention(x, adding: stream, &states)
  }

  /// What attention to another text makes of the stream, if there is any.
  private func crossing(_ x: NDArray<Scalar>, _ states: inout States<Scalar>) -> NDArray<Scalar> {
    cross.map { $0(x, normsAfter: form.arrangement == .normAfter, &states) } ?? x
  }

  private func feeding(
    _ x: NDArray<Scalar>, onto stream: NDArray<Scalar>
  ) throws(CheckpointError) -> NDArray<Scalar> {
    guard isPlain(feedForwardPostNorm) else {
      return add(
        try feedForward(x, adding: nil), normalised: feedForwardPostNorm,
        scaledBy: feedForwardScale, onto: stream)
    }
    return try feedForward(x, adding: stream)
  }

  /// Whether a layer's result is added to the stream as it is, which its last product can do.
  private func isPlain(_ norm: Norm<Scalar>?) -> Bool {
    norm == nil && form.residualFactor == 1 && !form.isScaled
  }

  private func add(
    _ result: NDArray<Scalar>, normalised norm: Norm<Scalar>?, scaledBy scale: NDArray<Scalar>?,
    onto stream: NDArray<Scalar>
  ) -> NDArray<Scalar> {
    var result = norm.applied(to: result)
    if let scale { result = multiplyBroadcasting(result, scale) }
    let factor = form.residualFactor
    return Kernels.add(stream, factor == 1 ? result : scaled(result, by: factor))
  }
}

/// What a block feeds its positions through, described.
public enum FeedingForm: Sendable, Equatable {
  /// One network.
  case network(FeedForwardForm)
  /// Several networks, of which each position goes through a few.
  case experts(ExpertsShape)

  /// The number of units inside, or inside each of several.
  public var hidden: Int {
    switch self {
    case .network(let form): form.hidden
    case .experts(let shape): shape.hidden
    }
  }

  /// What is applied to the units of one network; `nil` of several.
  public var activation: Activation? {
    if case .network(let form) = self { form.activation } else { nil }
  }

  /// Asks for the weights, as `feed_forward` of a block.
  package func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int
  ) throws(CheckpointError) -> Feeding<Scalar> {
    switch self {
    case .network(let form):
      .network(try form.load(scope.module("feed_forward", .feedForward), width: width))
    case .experts(let shape):
      .experts(try Experts(scope.module("feed_forward", .experts), width: width, shape))
    }
  }
}

/// What a block feeds its positions through, with its weights.
package enum Feeding<Scalar: ComputeScalar> {
  case network(FeedForward<Scalar>)
  case experts(Experts<Scalar>)

  /// `[…, width]` to the same.
  ///
  /// - Parameter addend: `[…, width]`, added to the result.
  package func callAsFunction(
    _ x: NDArray<Scalar>, adding addend: NDArray<Scalar>?
  ) throws(CheckpointError) -> NDArray<Scalar> {
    switch self {
    case .network(let network): network(x, adding: addend)
    case .experts(let experts): try experts(x, adding: addend)
    }
  }
}

/// A feed-forward network, described. See `FeedForward`.
public struct FeedForwardForm: Sendable, Equatable {
  /// The number of units inside.
  public var hidden: Int
  /// What is applied to them.
  public var activation: Activation
  /// Whether they are multiplied by a gate.
  public var isGated = false
  /// Whether its products have biases.
  public var hasBias = true

  /// Describes a network.
  public init(hidden: Int, activation: Activation, isGated: Bool = false, hasBias: Bool = true) {
    self.hidden = hidden
    self.activation = activation
    self.isGated = isGated
    self.hasBias = hasBias
  }

  /// Asks for the network's weights.
  package func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int
  ) throws(CheckpointError) -> FeedForward<Scalar> {
    try FeedForward(
      scope, width: width, hidden: hidden, activation: activation, isGated: isGated, bias: hasBias)
  }
}
