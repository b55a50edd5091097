/// How many rows a worker has at a time.
private let rowsPerPiece = 16

/// `eˣ / Σ eˣ` over the last axis.
///
/// A row of minus infinities alone gives NaN, as in the frameworks.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func softmax<Scalar: ComputeScalar>(_ x: consuming NDArray<Scalar>) -> NDArray<Scalar> {
  let width = x.width
  let ranges = pieces(of: width == 0 ? 0 : x.rows, size: rowsPerPiece)
  unsafe x.elements.withUnsafeMutableBufferPointer { values in
    Parallel.forEach(count: ranges.count) { piece in
      for row in ranges[piece] {
        let y = unsafe UnsafeMutableBufferPointer(
          rebasing: values[row * width..<(row + 1) * width])
        var largest = -Scalar.infinity
        for i in 0..<width where unsafe y[i] > largest { unsafe largest = y[i] }
        let factor = unsafe 1 / Scalar.exponentiate(y, shift: largest)
        for i in 0..<width { unsafe y[i] *= factor }
      }
    }
  }
  return x
}
