public import Kernels
import TensorCore

/// The extents of latent attention.
public struct LatentShape: Sendable, Equatable {
  public var heads: Int
  /// How many numbers of queries and keys are compared as they are, and how many are turned by position; these
  /// are the same in all heads of a key.
  var plainSize: Int
  var turnedSize: Int
  /// How many numbers values have in each head.
  var valueSize: Int
  /// The width of what keys and values are made of.
  var latent: Int
  /// The width of what queries are made of; `nil` if they are made of the stream.
  var queryLatent: Int?
  var layout: RotaryLayout

  var headSize: Int { plainSize + turnedSize }

  /// How many numbers it keeps of each position.
  public var kept: Int { latent + turnedSize }
}

/// Multi-head latent attention: keys and values are made of a narrow vector for each position, which is all
/// that is kept of it, beside a key that all heads share and that is turned by position.
///
/// Liu et al.: arXiv 2405.04434, §2.1.
public struct LatentAttention<Scalar: ComputeScalar> {
  private let query: Linear<Scalar>
  private let queryLatent: (down: Linear<Scalar>, norm: RMSNorm<Scalar>)?
  private let latent: Linear<Scalar>
  private let latentNorm: RMSNorm<Scalar>
  private let turnedKey: Linear<Scalar>
  private let key: Linear<Scalar>
  private let value: Linear<Scalar>
  private let output: Linear<Scalar>
  private let shape: LatentShape
  private let scale: Double
  /// The layer's canonical path, under which it keeps what keys and values are made of.
  private let path: String

  /// - Parameters:
  ///   - width: of the stream it reads and writes.
  ///   - scale: what scores are multiplied by.
  ///   - bias: whether what comes from the stream, and the output, has one: the queries only by way of their
  ///     latent.
  ///   - epsilon: of the latents' normalisations.
  init(
    _ scope: WeightScope<Scalar>, width: Int, shape: LatentShape, scale: Double, bias: Bool,
    epsilon: Double
  ) throws(CheckpointError) {
    queryLatent = try shape.queryLatent.map { size throws(CheckpointError) in
      (
        try Linear(scope.module("query_latent", .linear), in: width, out: size, bias: bias),
        try RMSNorm(scope.module("query_latent_norm", .rmsNorm), width: size, epsilon: epsilon)
      )
    }
    query = try Linear(
      scope.module("query", .linear), in: shape.queryLatent ?? width,
      out: shape.heads * shape.headSize, bias: false)
    latent = try Linear(
      scope.module("latent", .linear), in: width, out: shape.latent, bias: bias)
    turnedKey = try Linear(
      scope.module("turned_key", .linear), in: width, out: shape.turnedSize, bias: bias)
    latentNorm = try RMSNorm(
      scope.module("latent_norm", .rmsNorm), width: shape.latent, epsilon: epsilon)
    key = try Linear(
      scope.module("key", .linear), in: shape.latent, out: shape.heads * shape.plainSize,
      bias: false)
    value = try Linear(
      scope.module("value", .linear), in: shape.latent, out: shape.heads * shape.valueSize,
      bias: false)
    output = try Linear(
      scope.module("output", .linear), in: shape.heads * shape.valueSize, out: width, bias: bias)
    scope.declare(.latentAttention(shape))
    (self.shape, self.scale, path) = (shape, scale, scope.path)
  }

  /// Attention of a sequence to itself, and to what came before it if `states` keeps that.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, width]`
  ///   - keys: which keys queries see, of all, those that came before included.
  ///   - rotary: `[batch or 1, queries, turned size]`, the table of the queries' positions. See `rotaryTable`.
  ///   - addend: `[batch, queries, width]`, added to the result.
  /// - Returns: `[batch, queries, width]`
  func callAsFunction(
    _ x: NDArray<Scalar>, keys: KeyPlan, rotary: NDArray<Scalar>, adding addend: NDArray<Scalar>,
    _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    let queries = rotate(
      query(queryLatent.map { $0.norm($0.down(x)) } ?? x), by: rotary, heads: shape.heads,
      layout: shape.layout, first: shape.plainSize)
    let parts = project(x, by: [latent.projection, turnedKey.projection])
    let turned = rotate(parts[1], by: rotary, heads: 1, layout: shape.layout)
    let kept = states.extend(
      path + ".latent", by: join([latentNorm(parts[0]), turned], axis: 2), before: keys.keysBefore)
    let all = split(kept.used, axis: 2, sizes: [shape.latent, shape.turnedSize])
    let made = project(all[0], by: [key.projection, value.projection])
    let result = attention(
      query: queries, key: withTurned(made[0], all[1]), value: made[1], heads: shape.heads,
      scores: Scores(scale: scale, keys: keys.dropping(kept.dropped)))
    return output(result, adding: addend)
  }

  /// The keys of all heads, each followed by the numbers that they share.
  private func withTurned(_ keys: NDArray<Scalar>, _ turned: NDArray<Scalar>) -> NDArray<Scalar> {
    var elements: [Scalar] = []
    elements.reserveCapacity(keys.rows * shape.heads * shape.headSize)
    for row in 0..<keys.rows {
      let (own, shared) = (keys.row(row), turned.row(row))
      for head in 0..<shape.heads {
        let start = own.startIndex + head * shape.plainSize
        elements += own[start..<start + shape.plainSize]
        elements += shared
      }
    }
    return NDArray(
      shape: [keys.shape[0], keys.shape[1], shape.heads * shape.headSize], elements: elements)
  }
}
