import Kernels
import TensorCore

/// How queries and keys are normalised before they are compared.
public struct QueryKeyNorm: Sendable {
  /// What is normalised together.
  public enum Extent: Sendable {
    /// Each head, all with the same weights.
    case heads
    /// Each head, with weights of its own.
    case ownHeads
    /// All heads.
    case whole
  }

  /// Which normalisation it is.
  enum Kind: Sendable {
    case rms(gainOffset: Double)
    case layer(bias: Bool)
  }

  let extent: Extent
  let epsilon: Double
  let kind: Kind

  /// Root-mean-square normalisation.
  ///
  /// - Parameter gainOffset: what is added to the stored weights. See `RMSNorm`.
  public init(_ extent: Extent, epsilon: Double, gainOffset: Double = 0) {
    self.init(extent, epsilon: epsilon, kind: .rms(gainOffset: gainOffset))
  }

  private init(_ extent: Extent, epsilon: Double, kind: Kind) {
    self.extent = extent
    self.epsilon = epsilon
    self.kind = kind
  }

  /// Layer normalisation.
  public static func layer(_ extent: Extent, epsilon: Double, bias: Bool) -> QueryKeyNorm {
    QueryKeyNorm(extent, epsilon: epsilon, kind: .layer(bias: bias))
  }
}

/// The normalisations of a layer's queries and keys.
struct QueryKeyNorms<Scalar: ComputeScalar> {
  let query: HeadNorm<Scalar>
  let key: HeadNorm<Scalar>

  init(
    _ scope: WeightScope<Scalar>, _ norm: QueryKeyNorm, _ shape: AttentionShape
  ) throws(CheckpointError) {
    query = try HeadNorm(
      scope, "query_norm", norm, heads: shape.heads, headSize: shape.headSize)
    key = try HeadNorm(
      scope, "key_norm", norm, heads: shape.keyHeads, headSize: shape.headSize)
  }
}

/// The normalisation of queries, or of keys: of each head, or of all heads together.
///
/// Heads with weights of their own have a module each, `query_norm.0`.
struct HeadNorm<Scalar: ComputeScalar> {
  /// One for all, or one for each head.
  private let norms: [VectorNorm<Scalar>]
  /// How many numbers are normalised together.
  private let width: Int

  init(
    _ scope: WeightScope<Scalar>, _ name: String, _ norm: QueryKeyNorm, heads: Int, headSize: Int
  ) throws(CheckpointError) {
    width = norm.extent == .whole ? heads * headSize : headSize
    guard norm.extent == .ownHeads else {
      norms = [try VectorNorm(scope, name, norm, width: width)]
      return
    }
    let scope = scope.module(name, .sequence)
    var norms: [VectorNorm<Scalar>] = []
    for head in 0..<heads {
      norms.append(try VectorNorm(scope, "\(head)", norm, width: headSize))
    }
    self.norms = norms
  }

  /// `[…, heads × head size]` to the same.
  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    if norms.count == 1 {
      return norms[0](x.reshaped([x.rows, x.width / width, width])).reshaped(x.shape)
    }
    let heads = split(
      x.reshaped([x.rows, norms.count, width]), axis: 1,
      sizes: Array(repeating: 1, count: norms.count))
    return join(zip(norms, heads).map { $0($1) }, axis: 1).reshaped(x.shape)
  }
}

/// A normalisation of either kind.
private enum VectorNorm<Scalar: ComputeScalar> {
  case rms(RMSNorm<Scalar>)
  case layer(LayerNorm<Scalar>)

  init(
    _ scope: WeightScope<Scalar>, _ name: String, _ norm: QueryKeyNorm, width: Int
  ) throws(CheckpointError) {
    switch norm.kind {
    case .rms(let gainOffset):
      self = .rms(
        try RMSNorm(
          scope.module(name, .rmsNorm), width: width, epsilon: norm.epsilon,
          gainOffset: gainOffset))
    case .layer(let bias):
      self = .layer(
        try LayerNorm(
          scope.module(name, .layerNorm), width: width, epsilon: norm.epsilon, bias: bias))
    }
  }

  func callAsFunction(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    switch self {
    case .rms(let norm): norm(x)
    case .layer(let norm): norm(x)
    }
  }
}
