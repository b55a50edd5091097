/// What a layer says of itself beside its weights.
public enum LayerFact: Sendable, Equatable {
  /// It is attention.
  case attention(AttentionShape)
  /// It is attention whose keys and values are made of narrow vectors, of which so many numbers are kept of
  /// each position.
  case latentAttention(AttentionShape, kept: Int)
  /// It is a feed-forward network with so many units inside.
  case feedForward(hidden: Int)
  /// It is several feed-forward networks, of which each position goes through some.
  case experts(ExpertsShape)
  /// It is a normalisation to whose stored gains that number is added.
  case gain(offset: Double)
  /// It makes a bias for each distance between query and key, for so many heads.
  case distanceBias(heads: Int)
  /// It makes so many numbers, which are added up.
  case sum(of: Int)

  /// What its heads are, if it is attention of either kind.
  public var attention: AttentionShape? {
    switch self {
    case .attention(let shape), .latentAttention(let shape, _): shape
    case .feedForward, .experts, .gain, .distanceBias, .sum: nil
    }
  }
}
