/// Which keys a query may attend to.
///
/// What is not allowed gets the most negative finite score, as in Hugging Face's eager attention: a
/// query that may attend to nothing attends uniformly to all keys, padded and future ones included.
public struct AttentionMask: Sendable {
  /// `[batch, keys]`: keys that may be attended to at all; `nil` allows every key.
  public var keys: NDArray<Bool>?
  /// Whether query `i` sees the keys up to its own position only.
  public var isCausal: Bool
  /// The position of the first query among the keys: the number of cached positions.
  public var firstQuery: Int

  /// Describes a mask.
  public init(keys: NDArray<Bool>? = nil, isCausal: Bool = false, firstQuery: Int = 0) {
    self.keys = keys
    self.isCausal = isCausal
    self.firstQuery = firstQuery
  }
}

/// Scaled dot-product attention with several heads: `softmax(q·kᵀ·scale + bias)·v` for each head.
///
/// Vaswani et al.: "Attention Is All You Need", arXiv 1706.03762, eq. 1 and §3.2.2. Scores are computed
/// tile by tile with a running softmax, so that memory does not grow with queries × keys: Dao,
/// "FlashAttention-2", arXiv 2307.08691, algorithm 1.
///
/// - Parameters:
///   - query: `[batch, queries, heads × head size]`, heads side by side.
///   - key: `[batch, keys, heads × head size]`
///   - value: `[batch, keys, heads × value size]`
///   - keys: how many positions of `key` and `value` count, if there is room for more in them.
///   - heads: the number of heads.
///   - scale: what scores are multiplied by, usually head size^−½.
///   - bias: `[heads, queries + keys − 1]`, added to the scaled scores of every batch member: that of
///     query `q` and key `k` is element `queries − 1 − q + k`, so it depends on their distance alone.
///   - mask: which keys each query sees.
/// - Returns: `[batch, queries, heads × value size]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func attention<Scalar: ComputeScalar>(
  query: NDArray<Scalar>, key: NDArray<Scalar>, value: NDArray<Scalar>, keys: Int? = nil,
  heads: Int, scale: Double, bias: NDArray<Scalar>? = nil, mask: AttentionMask
) -> NDArray<Scalar> {
  let (batch, queries, room) = (query.shape[0], query.shape[1], key.shape[1])
  let keys = keys ?? room
  let (width, valueWidth) = (query.width, value.width)
  let (headSize, valueSize) = (width / heads, valueWidth / heads)
  precondition(key.width == width && key.shape[0] == batch)
  precondition(value.shape[0] == batch && value.shape[1] == room && keys <= room)
  precondition(bias.map { $0.shape == [heads, queries + keys - 1] } ?? true)
  precondition(mask.keys.map { $0.shape == [batch, keys] } ?? true)
  let shape = [batch, queries, valueWidth]
  if shape.contains(0) || keys == 0 { return NDArray(shape: shape, repeating: 0) }

  let ranges = pieces(of: queries, size: AttentionTile.queries)
  let visible = (0..<batch).map { VisibleKeys(mask, of: $0, count: keys) }
  // Numbers, so that they are compared eight at a time.
  let isPadded = mask.keys?.elements.contains(false) ?? false
  let hidden = isPadded ? mask.keys?.elements.map { $0 ? Scalar(0) : 1 } : nil
  let strip = queries + keys - 1
  return unsafe NDArray(shape: shape) { out in
    unsafe withPointers(
      to: [query.elements, key.elements, value.elements, bias?.elements ?? [], hidden ?? []]
    ) { pointers in
      let (q, k, v) = unsafe (pointers[0], pointers[1], pointers[2])
      let (b, h) = unsafe (pointers[3], pointers[4])
      Parallel.forEach(
        count: batch * heads * ranges.count,
        scratch: {
          RunningSoftmax<Scalar>(queries: min(queries, AttentionTile.queries), keys: keys)
        }
      ) { softmax, piece in
        let range = ranges[piece % ranges.count]
        let head = piece / ranges.count % heads
        let member = piece / ranges.count / heads
        let firstRow = member * queries + range.lowerBound
        unsafe softmax.attend(
          queries: range,
          query: HeadRows(
            start: q + firstRow * width + head * headSize, width: headSize, stride: width),
          key: HeadRows(
            start: k + member * room * width + head * headSize, width: headSize, stride: width),
          value: HeadRows(
            start: v + member * room * valueWidth + head * valueSize, width: valueSize,
            stride: valueWidth),
          scale: Scalar(scale), bias: bias == nil ? nil : b + head * strip + queries - 1,
          visible: visible[member], hidden: hidden == nil ? nil : h + member * keys,
          result: out + firstRow * valueWidth + head * valueSize)
      }
    }
  }
}

/// How many keys the queries of one batch member may attend to.
struct VisibleKeys: Sendable {
  private let count: Int
  private let firstVisible: Int
  private let isCausal: Bool
  private let firstQuery: Int

  init(_ mask: AttentionMask, of member: Int, count: Int) {
    let allowed = mask.keys?.row(member)
    firstVisible = allowed.map { ($0.firstIndex(of: true) ?? $0.endIndex) - $0.startIndex } ?? 0
    self.count = count
    isCausal = mask.isCausal
    firstQuery = mask.firstQuery
  }

  /// How many keys come before those that are hidden for being later than a query.
  func end(of query: Int) -> Int {
    isCausal ? min(firstQuery + query + 1, count) : count
  }

  /// How many keys the queries have to do with: all, if the first of them sees none and so attends to
  /// all alike.
  func end(of queries: Range<Int>) -> Int {
    firstVisible < end(of: queries.lowerBound) ? end(of: queries.upperBound - 1) : count
  }
}
