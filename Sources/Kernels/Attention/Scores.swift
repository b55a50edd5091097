/// How the products of queries and keys become scores, and scores weights:
/// `softmax(cap(q·k · scale) + bias)` over the keys that a query sees.
public struct Scores<Scalar: ComputeScalar>: Sendable {
  /// What products are multiplied by, usually head size^−½.
  public var scale: Double
  /// The bound `c` of scaled products, which become `c·tanh(x/c)`; `nil` for none. arXiv
  /// 2408.00118, §2.
  public var softcap: Double?
  /// What is added to the scores; `nil` for nothing.
  public var bias: ScoreBias<Scalar>?
  /// Which keys each query sees.
  public var keys: KeyPlan
  /// `[heads]`: scores of a key without a value, which takes its share of the weights; `nil` for none.
  /// OpenAI: arXiv 2508.10925, §2.2.
  public var sinks: NDArray<Scalar>?

  /// Describes scores.
  public init(
    scale: Double, softcap: Double? = nil, bias: ScoreBias<Scalar>? = nil,
    keys: KeyPlan = KeyPlan(), sinks: NDArray<Scalar>? = nil
  ) {
    self.scale = scale
    self.softcap = softcap
    self.bias = bias
    self.keys = keys
    self.sinks = sinks
  }
}

/// What is added to scores: that of a batch member, a head, a query and a key is the array's element
/// `offset + batch·member + head·head + query·query + key·key`.
public struct ScoreBias<Scalar: ComputeScalar>: Sendable {
  /// The numbers.
  public let array: NDArray<Scalar>
  /// Where those of the first member, head, query and key are.
  public let offset: Int
  /// How far batch members are apart, in elements; 0 if they share.
  public let batch: Int
  /// How far heads are apart.
  public let head: Int
  /// How far queries are apart. May be below 0, as may `key`.
  public let query: Int
  /// How far keys are apart.
  public let key: Int

  /// Describes where a bias is.
  public init(
    _ array: NDArray<Scalar>, offset: Int = 0, batch: Int, head: Int, query: Int, key: Int
  ) {
    self.array = array
    self.offset = offset
    (self.batch, self.head, self.query, self.key) = (batch, head, query, key)
  }

  /// A bias for each distance between key and query.
  ///
  /// - Parameters:
  ///   - strip: `[heads, queries + keys − 1]`, from the last query and the first key on.
  ///   - queries: how many queries there are.
  public static func distances(_ strip: NDArray<Scalar>, queries: Int) -> ScoreBias {
    ScoreBias(strip, offset: queries - 1, batch: 0, head: strip.width, query: -1, key: 1)
  }

  /// A bias for each key.
  ///
  /// - Parameter array: `[batch, heads, keys]`, or `[1, heads, keys]` if all batch members share it.
  public static func keys(_ array: NDArray<Scalar>) -> ScoreBias {
    let (heads, keys) = (array.shape[1], array.shape[2])
    return ScoreBias(
      array, batch: array.shape[0] == 1 ? 0 : heads * keys, head: keys, query: 0, key: 1)
  }

  /// A bias for each pair of query and key.
  ///
  /// - Parameter array: `[batch, heads, queries, keys]`, of which each extent may be 1: all share it.
  public static func pairs(_ array: NDArray<Scalar>) -> ScoreBias {
    var (strides, stride) = ([Int](), 1)
    for extent in array.shape.reversed() {
      strides.append(extent == 1 ? 0 : stride)
      stride *= extent
    }
    return ScoreBias(
      array, batch: strides[3], head: strides[2], query: strides[1], key: strides[0])
  }

  /// The bias for the same queries when the first keys are no longer there.
  public func dropping(_ count: Int) -> ScoreBias {
    ScoreBias(
      array, offset: offset + count * key, batch: batch, head: head, query: query, key: key)
  }

  /// Whether every element that is asked for exists.
  func covers(batch members: Int, heads: Int, queries: Int, keys: Int) -> Bool {
    let far = [
      batch * (members - 1), head * (heads - 1), query * (queries - 1), key * (keys - 1),
    ]
    let first = far.reduce(offset) { $0 + min($1, 0) }
    let last = far.reduce(offset) { $0 + max($1, 0) }
    return first >= 0 && last < array.elements.count
  }
}
