public import Kernels
import TensorCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How far keys are from queries, as vectors that each layer makes queries and keys of: a table that all layers share.
public struct DistanceVectors: Sendable, Equatable {
  /// How many rows the table has: those below the middle are of keys behind the query.
  public var rows: Int
  /// How many buckets far distances share; `nil` if each distance has a row.
  public var buckets: Int?
  /// The number of distances there are, as the buckets see it.
  public var longest: Int
  /// The normalisation of the table's rows; `nil` for none.
  public var norm: NormForm?
  /// Whether some layer reads it.
  public var isRead: Bool

  /// Describes a table.
  public init(rows: Int, buckets: Int?, longest: Int, norm: NormForm?, isRead: Bool) {
    self.rows = rows
    self.buckets = buckets
    self.longest = longest
    self.norm = norm
    self.isRead = isRead
  }

  /// The row of a distance, which is the query's position less the key's.
  package func row(of distance: Int) -> Int {
    min(max(bucket(of: distance) + rows / 2, 0), rows - 1)
  }

  /// Near distances have buckets of their own, those of far ones grow with the logarithm
  /// (transformers, `make_log_bucket_position`).
  private func bucket(of distance: Int) -> Int {
    guard let buckets, abs(distance) > buckets / 2 else { return distance }
    let middle = Double(buckets / 2)
    let part =
      log(Double(abs(distance)) / middle) / log(Double(longest - 1) / middle)
    let bucket = (part * (middle - 1)).rounded(.up) + middle
    return distance < 0 ? -Int(bucket) : Int(bucket)
  }
}

/// What scores are made of beside the products of queries and keys.
public struct DisentangledForm: Sendable, Equatable {
  /// Whether queries are compared with how far keys are.
  public var comparesQueries: Bool
  /// Whether keys are compared with how far they are.
  public var comparesKeys: Bool
  /// Whether distances become queries and keys by the layer's own matrices, and not by some of their own.
  public var sharesProjections: Bool

  /// Describes scores.
  public init(comparesQueries: Bool, comparesKeys: Bool, sharesProjections: Bool) {
    self.comparesQueries = comparesQueries
    self.comparesKeys = comparesKeys
    self.sharesProjections = sharesProjections
  }
}

/// Disentangled attention: beside queries and keys, both are compared with how far apart they are. What is padding
/// attends to everything alike.
///
/// He et al., arXiv 2006.03654, §3.1.
public struct DisentangledAttention<Scalar: ComputeScalar> {
  private let query: Linear<Scalar>
  private let key: Linear<Scalar>
  private let value: Linear<Scalar>
  private let output: Linear<Scalar>
  private let positionKey: Linear<Scalar>?
  private let positionQuery: Linear<Scalar>?
  private let shape: AttentionShape
  private let scale: Double

  /// - Parameters:
  ///   - width: of the stream it reads and writes, and of the vectors of distances.
  ///   - scale: what all products are multiplied by.
  init(
    _ scope: WeightScope<Scalar>, width: Int, shape: AttentionShape, _ form: DisentangledForm,
    scale: Double
  ) throws(CheckpointError) {
    func linear(_ name: String) throws(CheckpointError) -> Linear<Scalar> {
      try Linear(scope.module(name, .linear), in: width, out: shape.queryWidth)
    }
    query = try linear("query")
    key = try linear("key")
    value = try linear("value")
    output = try Linear(scope.module("output", .linear), in: shape.resultWidth, out: width)
    let isOwn = !form.sharesProjections
    positionKey = form.comparesQueries ? (isOwn ? try linear("position_key") : key) : nil
    positionQuery = form.comparesKeys ? (isOwn ? try linear("position_query") : query) : nil
    var declared = shape
    let compares = form.comparesQueries || form.comparesKeys
    declared.hasHeadBias = isOwn && compares
    declared.hasOwnPositions = isOwn && compares
    // A key's bias is compared with distances, too.
    declared.dependsOnLevel = form.comparesKeys
    scope.declare(.attention(declared))
    self.shape = shape
    self.scale = scale
  }

  /// Attention of a sequence to itself.
  ///
  /// - Parameters:
  ///   - x: `[batch, length, width]`
  ///   - allowed: `[batch, length]`, what is no padding; `nil` if nothing is.
  ///   - distances: `[1, 2·length − 1, width]`, the vectors of the distances from the last key before the first
  ///     query on: that of `length − 1` first. `nil` where no score depends on them.
  ///   - addend: `[batch, length, width]`, added to the result.
  /// - Returns: `[batch, length, width]`
  func callAsFunction(
    _ x: NDArray<Scalar>, allowed: NDArray<Bool>?, distances: NDArray<Scalar>?,
    adding addend: NDArray<Scalar>?
  ) -> NDArray<Scalar> {
    let parts = project(x, by: [query.projection, key.projection, value.projection])
    let result = attention(
      query: parts[0], key: parts[1], value: parts[2], heads: shape.heads,
      scores: Scores(
        scale: scale,
        bias: distances.flatMap { bias(queries: parts[0], keys: parts[1], $0) }.map { .pairs($0) },
        keys: KeyPlan(allowed: allowed.map(pairs))))
    return output(result, adding: addend)
  }

  /// `[batch, heads, queries, keys]`: what distances add to the scores.
  private func bias(
    queries: NDArray<Scalar>, keys: NDArray<Scalar>, _ distances: NDArray<Scalar>
  ) -> NDArray<Scalar>? {
    let ofQueries = positionKey.map { aligned(queries, with: $0(distances)) }
    let ofKeys = positionQuery.map { projection in
      let count = distances.shape[1]
      let backwards = NDArray(shape: [1, count], elements: Array((0..<count).reversed()))
      let vectors = gatherRows(distances.reshaped([count, distances.width]), backwards)
      return permute(aligned(keys, with: projection(vectors)), [0, 1, 3, 2])
    }
    guard let ofQueries, let ofKeys else { return ofQueries ?? ofKeys }
    return add(ofQueries, ofKeys)
  }

  /// The products of each position with the vector of each other one's distance, scaled:
  /// `[batch, heads, length, length]`.
  ///
  /// - Parameters:
  ///   - x: `[batch, length, heads × size]`
  ///   - vectors: `[1, 2·length − 1, heads × size]`, that of the first column of the last row first.
  private func aligned(_ x: NDArray<Scalar>, with vectors: NDArray<Scalar>) -> NDArray<Scalar> {
    let (batch, length, heads) = (x.shape[0], x.shape[1], shape.heads)
    let products = scaled(
      batchedProduct(byHead(x), byHead(vectors), isTransposed: true), by: scale)
    // Each row begins one further to the left than the one before it: with one number more in each row, and as many
    // fewer in a row of the whole, they stand one below the other. Dai et al., arXiv 1901.02860, appendix B.
    func zeros(_ shape: [Int]) -> NDArray<Scalar> { NDArray(shape: shape, repeating: 0) }
    let (all, count) = (batch * heads, 2 * length - 1)
    let longer = join(
      [products.reshaped([all, length, count]), zeros([all, length, 1])], axis: 2)
    let row = join(
      [longer.reshaped([all, length * (count + 1)]), zeros([all, length - 1])], axis: 1)
    let rows = split(row.reshaped([all, length + 1, count]), axis: 1, sizes: [length, 1])[0]
    return split(rows, axis: 2, sizes: [length - 1, length])[1]
      .reshaped([batch, heads, length, length])
  }

  /// `[batch, length, heads × size]` to `[batch, heads, length, size]`
  private func byHead(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    permute(
      x.reshaped([x.shape[0], x.shape[1], shape.heads, shape.headSize]), [0, 2, 1, 3])
  }

  /// Which keys each query sees: what is padding none.
  private func pairs(_ allowed: NDArray<Bool>) -> NDArray<Bool> {
    let elements = (0..<allowed.rows).flatMap { text in
      let row = allowed.row(text)
      return row.flatMap { isWord in row.map { $0 && isWord } }
    }
    return NDArray(shape: allowed.shape + [allowed.width], elements: elements)
  }
}
