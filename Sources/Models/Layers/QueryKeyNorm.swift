import Kernels
import TensorCore

/// How queries and keys are normalised before they are compared.
public struct QueryKeyNorm: Sendable, Equatable {
  /// What is normalised together.
  public enum Extent: Sendable {
    /// Each head, all with the same weights.
    case heads
    /// Each head, with weights of its own.
    case ownHeads
    /// All heads.
    case whole
  }

  let extent: Extent
  let form: NormForm

  /// Describes normalisations of queries and keys.
  public init(_ extent: Extent, _ form: NormForm) {
    self.extent = extent
    self.form = form
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
  private let norms: [Norm<Scalar>]
  /// How many numbers are normalised together.
  private let width: Int

  init(
    _ scope: WeightScope<Scalar>, _ name: String, _ norm: QueryKeyNorm, heads: Int, headSize: Int
  ) throws(CheckpointError) {
    width = norm.extent == .whole ? heads * headSize : headSize
    guard norm.extent == .ownHeads else {
      norms = [try Norm(scope, name, norm.form, width: width)]
      return
    }
    let scope = scope.module(name, .sequence)
    var norms: [Norm<Scalar>] = []
    for head in 0..<heads {
      norms.append(try Norm(scope, "\(head)", norm.form, width: headSize))
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
