public import Kernels
import TensorCore

/// Attention of a text to itself and what came before, described. See `Attention`.
public struct SelfAttentionForm: Sendable, Equatable {
  /// Heads, those of keys, sizes, what of a head is turned, and how many keys a query sees.
  public var shape: AttentionShape
  /// Which of the decoder's rotary positions turn queries and keys, if the shape has a rotary part.
  public var rotary = 0
  /// What scores are multiplied by; head size^−½ if not given.
  public var scale: Double?
  /// The bound of scores.
  public var softcap: Double?
  /// Whether queries, keys and values have a bias.
  public var hasBias = true
  /// Whether keys have one, and values, if not as the queries.
  public var hasKeyBias: Bool?, hasValueBias: Bool?
  /// Whether the output has one.
  public var hasOutputBias = true
  /// How queries and keys are normalised.
  public var norm: QueryKeyNorm?
  /// The bound of queries, keys and values, once they are normalised; `nil` for none.
  public var bound: Double?
  /// What keys and values are made of, if not of the stream: `shape` is what they are then.
  public var latent: LatentForm?
  /// What distances are compared with, where they are vectors.
  public var disentangled: DisentangledForm?
  /// Whether each head has a sink.
  public var hasSinks = false
  /// Whether the decoder's ALiBi is added to scores.
  public var hasALiBi = false
  /// Whether the model's biases for distances between queries and keys are.
  public var hasDistanceBias = false
  /// Whether each head makes more or less of these, by what it reads at the query's place. See `BiasGate`.
  public var gatesDistanceBias = false
  /// Whether what the model has in `pairBiasState` for each pair of a query and a key is.
  public var hasPairBias = false
  /// What a query attends to that sees nothing. See `KeyPlan`.
  public var fallback = KeyPlan.Fallback.all
  /// Whether queries see what comes after them, too: in a window as many keys to either side as they
  /// otherwise see to one.
  public var seesAhead = false
  /// The input that says what of the text is no padding; or, where none is called so, the state.
  public var mask = "attention_mask"
  /// How queries grow with their positions, if they do.
  public var growth: QueryGrowth?
  /// What files may hold of the layer that is no weight.
  public var buffers = AttentionBuffers()

  /// Describes a layer.
  ///
  /// - Parameter window: that of the shape, if not given there.
  public init(
    shape: AttentionShape, rotary: Int = 0, scale: Double? = nil, softcap: Double? = nil,
    hasBias: Bool = true, hasOutputBias: Bool = true, norm: QueryKeyNorm? = nil,
    bound: Double? = nil, latent: LatentForm? = nil, hasSinks: Bool = false,
    hasALiBi: Bool = false, hasDistanceBias: Bool = false, window: Int? = nil,
    seesAhead: Bool = false,
    fallback: KeyPlan.Fallback = .all, growth: QueryGrowth? = nil,
    buffers: AttentionBuffers = AttentionBuffers()
  ) {
    self.shape = shape
    self.shape.window = window ?? shape.window
    if hasALiBi || hasDistanceBias { self.shape.hasHeadBias = true }
    self.shape.seesAhead = seesAhead
    self.rotary = rotary
    (self.scale, self.softcap) = (scale, softcap)
    (self.hasBias, self.hasOutputBias) = (hasBias, hasOutputBias)
    self.norm = norm
    self.bound = bound
    self.latent = latent
    (self.hasSinks, self.hasALiBi) = (hasSinks, hasALiBi)
    self.hasDistanceBias = hasDistanceBias
    self.fallback = fallback
    self.seesAhead = seesAhead
    self.growth = growth
    self.buffers = buffers
  }

  /// Asks for the layer's weights.
  func load<Scalar: ComputeScalar>(
    _ scope: WeightScope<Scalar>, width: Int
  ) throws(CheckpointError) -> SelfAttention<Scalar> {
    buffers.declare(in: scope, window: shape.window)
    if let latent {
      return .latent(
        self,
        try LatentAttention(
          scope, width: width, shape: shape, latent, scale: scale, bias: hasBias))
    }
    if let disentangled {
      return .disentangled(
        self,
        try DisentangledAttention(
          scope, width: width, shape: shape, disentangled,
          scale: scale ?? 1 / Double(shape.headSize).squareRoot()))
    }
    return .plain(
      self,
      try Attention(
        scope, width: width, shape: shape, scale: scale, softcap: softcap, bias: hasBias,
        keyBias: hasKeyBias, valueBias: hasValueBias, outputBias: hasOutputBias,
        norm: norm, bound: bound, hasSinks: hasSinks),
      gatesDistanceBias ? try BiasGate(scope, width: width, heads: shape.heads) : nil)
  }
}

extension SelfAttentionForm {
  /// The name of the state that has the angles of one of the rotary positions.
  package static func rotaryState(_ index: Int) -> String {
    index == 0 ? "rotary" : "rotary_\(index)"
  }

  /// The name of the state that has a bias for each pair of a query and a key: `[batch or 1, heads, queries, keys]`.
  package static let pairBiasState = "pair_bias"

  /// The name of the state that has biases for distances.
  package static let distanceBiasState = "distance_bias"

  /// Which keys the queries of the present inputs see.
  fileprivate func keys<Scalar>(_ states: States<Scalar>) -> KeyPlan {
    let reach = shape.window.map { $0 - 1 }
    return KeyPlan(
      allowed: states.inputs.mask(mask) ?? states.stateIfSet(mask)?.isSet, before: reach,
      after: seesAhead ? reach : 0,
      firstQuery: states.firstPosition, fallback: fallback)
  }

  /// What is added to the scores, if anything is.
  fileprivate func bias<Scalar>(_ states: States<Scalar>, queries: Int) -> ScoreBias<Scalar>? {
    if hasPairBias { return .pairs(states[Self.pairBiasState]) }
    if hasALiBi { return .keys(states[Self.distanceBiasState]) }
    return hasDistanceBias
      ? .distances(states[Self.distanceBiasState], queries: queries) : nil
  }
}

extension NDArray where Element: ComputeScalar {
  /// Which elements are not zero.
  var isSet: NDArray<Bool> {
    NDArray<Bool>(shape: shape, elements: elements.map { $0 != 0 })
  }
}

/// Masks, numbers and frequencies that files of older code hold in each layer. They are checked where they
/// are stored.
public struct AttentionBuffers: Sendable, Equatable {
  /// For how many positions there is a causal mask, if there is one.
  public var causalMask: Int?
  /// The score of what is masked, if it is stored.
  public var maskedScore: Double?
  /// The rotary positions whose frequencies, before they are scaled, are stored, if they are.
  public var frequencies: RotarySettings?

  /// None, unless told otherwise.
  public init(
    causalMask: Int? = nil, maskedScore: Double? = nil, frequencies: RotarySettings? = nil
  ) {
    self.causalMask = causalMask
    self.maskedScore = maskedScore
    self.frequencies = frequencies
  }

  func declare<Scalar>(in scope: WeightScope<Scalar>, window: Int?) {
    if let count = causalMask {
      scope.constant("causal_mask", [count, count], .causalMask(count, window: window))
    }
    if let maskedScore { scope.constant("masked_score", [], .maskedScore(maskedScore)) }
    if let frequencies {
      scope.constant("frequencies", [frequencies.pairs], .frequencies(of: frequencies))
    }
  }
}

/// Attention with its weights.
enum SelfAttention<Scalar: ComputeScalar> {
  case plain(SelfAttentionForm, Attention<Scalar>, BiasGate<Scalar>?)
  case latent(SelfAttentionForm, LatentAttention<Scalar>)
  case disentangled(SelfAttentionForm, DisentangledAttention<Scalar>)

  /// `[batch, length, width]` to the same.
  ///
  /// - Parameter addend: `[batch, length, width]`, added to the result.
  func callAsFunction(
    _ x: NDArray<Scalar>, adding addend: NDArray<Scalar>?, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    switch self {
    case .plain(let form, let attention, let gate):
      let rotary =
        form.shape.rotary == nil ? nil : states[SelfAttentionForm.rotaryState(form.rotary)]
      let bias =
        gate.map { $0(x, states[SelfAttentionForm.distanceBiasState]) }
        ?? form.bias(states, queries: x.shape[1])
      let factors = form.growth?.factors(
        at: states.inputs.required("position_ids"), of: Scalar.self)
      return attention(
        x, keys: form.keys(states), bias: bias, rotary: rotary, factors: factors, adding: addend,
        &states)
    case .disentangled(let form, let attention):
      let compares = form.disentangled.map { $0.comparesQueries || $0.comparesKeys } ?? false
      return attention(
        x, allowed: states.inputs.mask("attention_mask"),
        distances: compares ? states["distance_vectors"] : nil, adding: addend)
    case .latent(let form, let attention):
      return attention(
        x, keys: form.keys(states), rotary: states[SelfAttentionForm.rotaryState(form.rotary)],
        adding: addend, &states)
    }
  }
}
