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

/// How many queries a piece has. Scores take this many rows for each worker, never the whole square.
private let queriesPerPiece = 64

/// Scaled dot-product attention with several heads: `softmax(q·kᵀ·scale + bias)·v` for each head.
///
/// Vaswani et al.: "Attention Is All You Need", arXiv 1706.03762, eq. 1 and §3.2.2.
///
/// - Parameters:
///   - query: `[batch, queries, heads × head size]`, heads side by side.
///   - key: `[batch, keys, heads × head size]`
///   - value: `[batch, keys, heads × value size]`
///   - heads: the number of heads.
///   - scale: what scores are multiplied by, usually head size^−½.
///   - bias: `[heads, queries, keys]`, added to the scaled scores of every batch member.
///   - mask: which keys each query sees.
/// - Returns: `[batch, queries, heads × value size]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func attention<Scalar: ComputeScalar>(
  query: NDArray<Scalar>, key: NDArray<Scalar>, value: NDArray<Scalar>,
  heads: Int, scale: Double, bias: NDArray<Scalar>? = nil, mask: AttentionMask
) -> NDArray<Scalar> {
  let (batch, queries, keys) = (query.shape[0], query.shape[1], key.shape[1])
  let (width, valueWidth) = (query.width, value.width)
  let (headSize, valueSize) = (width / heads, valueWidth / heads)
  precondition(key.width == width && key.shape[0] == batch && value.shape[1] == keys)
  precondition(bias.map { $0.shape == [heads, queries, keys] } ?? true)
  precondition(mask.keys.map { $0.shape == [batch, keys] } ?? true)
  var result = NDArray(shape: [batch, queries, valueWidth], repeating: Scalar(0))
  if result.elements.isEmpty || keys == 0 { return result }

  let ranges = pieces(of: queries, size: queriesPerPiece)
  unsafe query.elements.withUnsafeBufferPointer { q in
    unsafe key.elements.withUnsafeBufferPointer { k in
      unsafe value.elements.withUnsafeBufferPointer { v in
        unsafe result.elements.withUnsafeMutableBufferPointer { out in
          guard let q = q.baseAddress, let k = k.baseAddress, let v = v.baseAddress,
            let out = out.baseAddress
          else { return }
          Parallel.forEach(count: batch * heads * ranges.count) { piece in
            let range = ranges[piece % ranges.count]
            let head = piece / ranges.count % heads
            let member = piece / ranges.count / heads
            let firstRow = member * queries + range.lowerBound
            var scores = [Scalar](repeating: 0, count: range.count * keys)
            unsafe scores.withUnsafeMutableBufferPointer { scores in
              guard let s = scores.baseAddress else { return }
              unsafe Scalar.product(
                rows: range.count, columns: keys, inner: headSize,
                a: q + firstRow * width + head * headSize, strideA: width,
                b: k + member * keys * width + head * headSize, strideB: width, transposeB: true,
                c: s, strideC: keys)
              for (row, query) in range.enumerated() {
                let row = unsafe UnsafeMutableBufferPointer(start: s + row * keys, count: keys)
                let biasRow = bias?.row(head * queries + query)
                unsafe finish(row, query, member, scale: Scalar(scale), bias: biasRow, mask: mask)
                unsafe softmax(row)
              }
              unsafe Scalar.product(
                rows: range.count, columns: valueSize, inner: keys,
                a: s, strideA: keys,
                b: v + member * keys * valueWidth + head * valueSize, strideB: valueWidth,
                transposeB: false,
                c: out + firstRow * valueWidth + head * valueSize, strideC: valueWidth)
            }
          }
        }
      }
    }
  }
  return result
}

/// Scales a row of scores, adds its bias, and masks it.
@inline(always)
private func finish<Scalar: ComputeScalar>(
  _ scores: UnsafeMutableBufferPointer<Scalar>, _ query: Int, _ member: Int,
  scale: Scalar, bias: ArraySlice<Scalar>?, mask: AttentionMask
) {
  for i in scores.indices { unsafe scores[i] *= scale }
  if let bias {
    for i in scores.indices { unsafe scores[i] += bias[bias.startIndex + i] }
  }
  if let allowed = mask.keys?.row(member) {
    for i in scores.indices where !allowed[allowed.startIndex + i] {
      unsafe scores[i] = -Scalar.greatestFiniteMagnitude
    }
  }
  if mask.isCausal {
    for i in min(mask.firstQuery + query + 1, scores.count)..<scores.count {
      unsafe scores[i] = -Scalar.greatestFiniteMagnitude
    }
  }
}

/// `softmax(x)ᵢ = e^(xᵢ − max) / Σ e^(xⱼ − max)`, in place.
@inline(always)
private func softmax<Scalar: ComputeScalar>(_ x: UnsafeMutableBufferPointer<Scalar>) {
  var largest = -Scalar.infinity
  for i in x.indices where unsafe x[i] > largest { largest = unsafe x[i] }
  unsafe replaceEach(x) { Scalar.exp($0 - largest) }
  let scale = unsafe 1 / laneSum(of: x)
  for i in x.indices { unsafe x[i] *= scale }
}
