/// How many rows a worker normalises at a time.
private let rowsPerPiece = 16

/// Layer normalisation over the last axis.
///
/// `(x − mean) / √(variance + ε) · w + b`, the variance being the mean square deviation (divided by
/// the width, not by width − 1). Ba, Kiros, Hinton: "Layer Normalization", arXiv 1607.06450, eq. 3–4.
///
/// - Parameters:
///   - x: `[…, width]`
///   - weight: `[width]`
///   - bias: `[width]`
///   - epsilon: added to the variance.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func layerNorm<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, weight: NDArray<Scalar>, bias: NDArray<Scalar>, epsilon: Double
) -> NDArray<Scalar> {
  let width = x.width
  precondition(weight.elements.count == width && bias.elements.count == width)
  return unsafe normalised(x) { y in
    let w = weight.elements.span
    let b = bias.elements.span
    let mean = unsafe laneSum(of: y) / Scalar(width)
    for i in 0..<width { unsafe y[i] -= mean }
    let variance = unsafe laneSumOfSquares(of: y) / Scalar(width)
    let scale = 1 / (variance + Scalar(epsilon)).squareRoot()
    for i in 0..<width { unsafe y[i] = y[i] * scale * w[i] + b[i] }
  }
}

/// Root-mean-square normalisation over the last axis: no mean is subtracted, nothing is added.
///
/// `x / √(mean(x²) + ε) · w`. Zhang, Sennrich: "Root Mean Square Layer Normalization",
/// arXiv 1910.07467, eq. 4, with ε under the root.
///
/// - Parameters:
///   - x: `[…, width]`
///   - weight: `[width]`
///   - epsilon: added to the mean square.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func rmsNorm<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, weight: NDArray<Scalar>, epsilon: Double
) -> NDArray<Scalar> {
  let width = x.width
  precondition(weight.elements.count == width)
  return unsafe normalised(x) { y in
    let w = weight.elements.span
    let meanSquare = unsafe laneSumOfSquares(of: y) / Scalar(width)
    let scale = 1 / (meanSquare + Scalar(epsilon)).squareRoot()
    for i in 0..<width { unsafe y[i] = y[i] * scale * w[i] }
  }
}

/// A copy of `x`, of which `normalise` has changed every row.
@inline(always)
private func normalised<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, _ normalise: (UnsafeMutableBufferPointer<Scalar>) -> Void
) -> NDArray<Scalar> {
  let width = x.width
  let ranges = pieces(of: x.rows, size: rowsPerPiece)
  return unsafe NDArray(shape: x.shape) { start in
    Parallel.forEach(count: width > 0 ? ranges.count : 0) { piece in
      for row in ranges[piece] {
        let y = unsafe UnsafeMutableBufferPointer(start: start + row * width, count: width)
        let elements = x.elements.span
        for i in 0..<width { unsafe y[i] = elements[row * width + i] }
        unsafe normalise(y)
      }
    }
  }
}

/// The sum of `values`, in eight lanes: a fixed order on every machine, and a smaller error than one
/// running sum.
@inline(always)
func laneSum<Scalar: ComputeScalar>(of values: UnsafeMutableBufferPointer<Scalar>) -> Scalar {
  unsafe laneSum(of: values) { $0 }
}

/// The sum of the squares of `values`, likewise.
@inline(always)
func laneSumOfSquares<Scalar: ComputeScalar>(
  of values: UnsafeMutableBufferPointer<Scalar>
) -> Scalar {
  unsafe laneSum(of: values) { $0 * $0 }
}

@inline(always)
private func laneSum<Scalar: ComputeScalar>(
  of values: UnsafeMutableBufferPointer<Scalar>, _ term: (SIMD8<Scalar>) -> SIMD8<Scalar>
) -> Scalar {
  guard let start = values.baseAddress else { return 0 }
  let raw = UnsafeRawPointer(start)
  let stride = MemoryLayout<Scalar>.stride
  var lanes = SIMD8<Scalar>(repeating: 0)
  var index = 0
  while index + 8 <= values.count {
    lanes += term(unsafe raw.loadUnaligned(fromByteOffset: index * stride, as: SIMD8<Scalar>.self))
    index += 8
  }
  var rest = SIMD8<Scalar>(repeating: 0)
  for lane in 0..<values.count - index { rest[lane] = unsafe values[index + lane] }
  lanes += term(rest)
  return lanes.sum()
}
