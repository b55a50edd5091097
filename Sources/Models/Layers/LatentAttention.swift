public import Kernels
import TensorCore

/// What keys and values are made of, where that is not the stream.
public struct LatentForm: Sendable, Equatable {
  /// The width of what keys and values are made of.
  public var width: Int
  /// The width of what queries are made of; `nil` if they are made of the stream.
  public var queryWidth: Int?
  /// What both are normalised by.
  public var norm: NormForm

  /// Describes what is kept.
  package init(
    width: Int, queryWidth: Int? = nil, norm: NormForm
  ) {
    self.width = width
    self.queryWidth = queryWidth
    self.norm = norm
  }
}

/// Multi-head latent attention: keys and values are made of a narrow vector for each position, which is all
/// that is kept of it, beside a key that all heads share and that is turned by position.
///
/// Liu et al.: arXiv 2405.04434, §2.1.
public struct LatentAttention<Scalar: ComputeScalar> {
  private let query: Linear<Scalar>
  private let queryLatent: (down: Linear<Scalar>, norm: Norm<Scalar>)?
  private let latent: Linear<Scalar>
  private let latentNorm: Norm<Scalar>
  private let turnedKey: Linear<Scalar>
  private let key: Linear<Scalar>
  private let value: Linear<Scalar>
  private let output: Linear<Scalar>
  private let shape: AttentionShape
  private let turned: RotaryPart
  private let latentWidth: Int
  private let scale: Double
  /// The layer's canonical path, under which it keeps what keys and values are made of.
  private let path: String

  /// - Parameters:
  ///   - width: of the stream it reads and writes.
  ///   - shape: of the queries, keys and values, of which the last numbers of a head are turned.
  ///   - scale: what scores are multiplied by; head size^−½ if not given.
  ///   - bias: whether what comes from the stream, and the output, has one: the queries only by way of their
  ///     latent.
  /// - Precondition: the shape has a rotary part, which is the end of a head.
  init(
    _ scope: WeightScope<Scalar>, width: Int, shape: AttentionShape, _ form: LatentForm,
    scale: Double?, bias: Bool
  ) throws(CheckpointError) {
    guard let turned = shape.rotary, turned.first + turned.size == shape.headSize else {
      preconditionFailure("what is turned is not the end of a head")
    }
    queryLatent = try form.queryWidth.map { size throws(CheckpointError) in
      (
        try Linear(scope.module("query_latent", .linear), in: width, out: size, bias: bias),
        try Norm(scope, "query_latent_norm", form.norm, width: size)
      )
    }
    query = try Linear(
      scope.module("query", .linear), in: form.queryWidth ?? width, out: shape.queryWidth,
      bias: false)
    latent = try Linear(
      scope.module("latent", .linear), in: width, out: form.width, bias: bias)
    turnedKey = try Linear(
      scope.module("turned_key", .linear), in: width, out: turned.size, bias: bias)
    latentNorm = try Norm(scope, "latent_norm", form.norm, width: form.width)
    key = try Linear(
      scope.module("key", .linear), in: form.width, out: shape.heads * turned.first, bias: false)
    value = try Linear(
      scope.module("value", .linear), in: form.width, out: shape.valueWidth, bias: false)
    output = try Linear(
      scope.module("output", .linear), in: shape.resultWidth, out: width, bias: bias)
    scope.declare(.latentAttention(shape, kept: form.width + turned.size))
    (self.shape, self.turned, latentWidth) = (shape, turned, form.width)
    self.scale = scale ?? 1 / Double(shape.headSize).squareRoot()
    path = scope.path
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
    _ x: NDArray<Scalar>, keys: KeyPlan, rotary: NDArray<Scalar>,
    adding addend: NDArray<Scalar>?, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    let queries = rotate(
      query(queryLatent.map { $0.norm($0.down(x)) } ?? x), by: rotary, heads: shape.heads,
      layout: turned.layout, first: turned.first)
    let parts = project(x, by: [latent.projection, turnedKey.projection])
    let shared = rotate(parts[1], by: rotary, heads: 1, layout: turned.layout)
    let kept = states.extend(
      path + ".latent", by: join([latentNorm(parts[0]), shared], axis: 2), before: keys.keysBefore)
    let all = split(kept.used, axis: 2, sizes: [latentWidth, turned.size])
    let made = project(all[0], by: [key.projection, value.projection])
    let result = attention(
      query: queries, key: withTurned(made[0], all[1]), value: made[1], heads: shape.heads,
      scores: Scores(scale: scale, keys: keys.dropping(kept.dropped)))
    return output(result, adding: addend)
  }

  /// The keys of all heads, each followed by the numbers that they share.
  private func withTurned(_ keys: NDArray<Scalar>, _ end: NDArray<Scalar>) -> NDArray<Scalar> {
    var elements: [Scalar] = []
    elements.reserveCapacity(keys.rows * shape.heads * shape.headSize)
    for row in 0..<keys.rows {
      let (own, shared) = (keys.row(row), end.row(row))
      for head in 0..<shape.heads {
        let start = own.startIndex + head * turned.first
        elements += own[start..<start + turned.first]
        elements += shared
      }
    }
    return NDArray(
      shape: [keys.shape[0], keys.shape[1], shape.heads * shape.headSize], elements: elements)
  }
}
