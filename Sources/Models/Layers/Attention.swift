public import Kernels
package import TensorCore

/// Multi-head attention: projections to queries, keys and values, and from the heads back.
///
/// Vaswani et al., arXiv 1706.03762, §3.2.2; heads that share keys: arXiv 2305.13245; rotary positions:
/// arXiv 2104.09864.
public struct Attention<Scalar: ComputeScalar> {
  let query: Linear<Scalar>
  let key: Linear<Scalar>
  let value: Linear<Scalar>
  let output: Linear<Scalar>
  let shape: AttentionShape
  let scale: Double
  let softcap: Double?
  private let norms: QueryKeyNorms<Scalar>?
  private let bound: Double?
  private let sinks: NDArray<Scalar>?  // [heads]
  /// The layer's canonical path, under which it keeps its keys and values.
  private let path: String

  /// - Parameters:
  ///   - width: of the stream it reads and writes.
  ///   - scale: what scores are multiplied by; head size^−½ if not given.
  ///   - softcap: the bound of scores. See `Scores`.
  ///   - bias: whether queries, keys and values have one.
  ///   - keyBias: whether keys have one, if not as the others.
  ///   - valueBias: whether values have one, if not as the others.
  ///   - outputBias: whether the output has one; as the queries if not given.
  ///   - norm: how queries and keys are normalised.
  ///   - bound: of queries, keys and values, once they are normalised.
  ///   - hasSinks: whether each head has a sink. See `Scores`.
  package init(
    _ scope: WeightScope<Scalar>, width: Int, shape: AttentionShape, scale: Double? = nil,
    softcap: Double? = nil, bias: Bool = true, keyBias: Bool? = nil, valueBias: Bool? = nil,
    outputBias: Bool? = nil,
    norm: QueryKeyNorm? = nil, bound: Double? = nil, hasSinks: Bool = false
  ) throws(CheckpointError) {
    query = try Linear(
      scope.module("query", .linear), in: width, out: shape.queryWidth, bias: bias)
    key = try Linear(
      scope.module("key", .linear), in: width, out: shape.keyWidth, bias: keyBias ?? bias)
    value = try Linear(
      scope.module("value", .linear), in: width, out: shape.valueWidth, bias: valueBias ?? bias)
    output = try Linear(
      scope.module("output", .linear), in: shape.resultWidth, out: width, bias: outputBias ?? bias)
    norms = try norm.map { norm throws(CheckpointError) in
      try QueryKeyNorms(scope, norm, shape)
    }
    sinks = hasSinks ? try scope.weight("sinks", [shape.heads], .bias) : nil
    var declared = shape
    declared.hasHeadBias = shape.hasHeadBias || hasSinks
    declared.dependsOnLevel = softcap != nil || bound != nil || hasSinks
    declared.norm = norm?.extent
    scope.declare(.attention(declared))
    self.shape = shape
    self.scale = scale ?? 1 / Double(shape.headSize).squareRoot()
    self.softcap = softcap
    self.bound = bound
    path = scope.path
  }

  /// Attention of a sequence to itself, and to what came before it if `states` keeps that.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, width]`
  ///   - keys: which keys queries see, of all, those that came before included.
  ///   - bias: added to the scores of all keys, those that came before included.
  ///   - rotary: `[batch or 1, queries, rotary size]`, the table of the queries' positions, if the layer's
  ///     shape has a rotary part and this layer turns. See `rotaryTable`.
  ///   - factors: `[batch or 1, queries, 1]`, what queries are multiplied by, for the last.
  ///   - addend: `[batch, queries, width]`, added to the result.
  /// - Returns: `[batch, queries, width]`
  package func callAsFunction(
    _ x: NDArray<Scalar>, keys: KeyPlan, bias: ScoreBias<Scalar>? = nil,
    rotary: NDArray<Scalar>? = nil, factors: NDArray<Scalar>? = nil,
    adding addend: NDArray<Scalar>? = nil, _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    let parts = project(x, by: [query.projection, key.projection, value.projection])
    var queries = prepare(parts[0], norms?.query, rotary, heads: shape.heads)
    if let factors { queries = multiplyBroadcasting(queries, factors) }
    let new = prepare(parts[1], norms?.key, rotary, heads: shape.keyHeads)
    let before = keys.keysBefore
    let kept = states.extend(path + ".keys", by: new, before: before)
    let values = states.extend(path + ".values", by: bounded(parts[2]), before: before)
    let x = attention(
      query: queries, key: kept.array, value: values.array, keys: kept.count, heads: shape.heads,
      keyHeads: shape.keyHeads,
      scores: scores(keys.dropping(kept.dropped), bias?.dropping(kept.dropped)))
    return output(x, adding: addend)
  }

  /// Attention of a sequence to itself, whose queries and keys are made of other vectors than its values.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, width]`, what values are made of.
  ///   - compared: `[batch, queries, width]`, what queries and keys are made of.
  ///   - addend: `[batch, queries, width]`, added to the result.
  /// - Returns: `[batch, queries, width]`
  package func callAsFunction(
    _ x: NDArray<Scalar>, comparing compared: NDArray<Scalar>, keys: KeyPlan,
    adding addend: NDArray<Scalar>? = nil
  ) -> NDArray<Scalar> {
    let pair = project(compared, by: [query.projection, key.projection])
    let result = attention(
      query: prepare(pair[0], norms?.query, nil, heads: shape.heads),
      key: prepare(pair[1], norms?.key, nil, heads: shape.keyHeads), value: bounded(value(x)),
      heads: shape.heads, keyHeads: shape.keyHeads, scores: scores(keys, nil))
    return output(result, adding: addend)
  }

  /// Attention of a sequence to another one, which stays the same while `states` keeps its keys.
  ///
  /// - Parameters:
  ///   - x: `[batch, queries, width]`
  ///   - source: `[batch, keys, width]`
  ///   - addend: `[batch, queries, width]`, added to the result.
  /// - Returns: `[batch, queries, width]`
  package func callAsFunction(
    _ x: NDArray<Scalar>, over source: NDArray<Scalar>, keys: KeyPlan,
    bias: ScoreBias<Scalar>? = nil, adding addend: NDArray<Scalar>? = nil,
    _ states: inout States<Scalar>
  ) -> NDArray<Scalar> {
    let pair = states.keep([path + ".keys", path + ".values"]) {
      let parts = project(source, by: [key.projection, value.projection])
      return [prepare(parts[0], norms?.key, nil, heads: shape.keyHeads), bounded(parts[1])]
    }
    let queries = prepare(query(x), norms?.query, nil, heads: shape.heads)
    let x = attention(
      query: queries, key: pair[0], value: pair[1], heads: shape.heads, keyHeads: shape.keyHeads,
      scores: scores(keys, bias))
    return output(x, adding: addend)
  }

  /// Queries or keys as they are compared: normalised, and turned by their positions.
  private func prepare(
    _ x: NDArray<Scalar>, _ norm: HeadNorm<Scalar>?, _ rotary: NDArray<Scalar>?, heads: Int
  ) -> NDArray<Scalar> {
    let x = bounded(norm.map { $0(x) } ?? x)
    guard let rotary, let part = shape.rotary else { return x }
    return rotate(x, by: rotary, heads: heads, layout: part.layout, first: part.first)
  }

  private func bounded(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    bound.map { clamped(x, to: $0) } ?? x
  }

  private func scores(_ keys: KeyPlan, _ bias: ScoreBias<Scalar>?) -> Scores<Scalar> {
    Scores(scale: scale, softcap: softcap, bias: bias, keys: keys, sinks: sinks)
  }
}
