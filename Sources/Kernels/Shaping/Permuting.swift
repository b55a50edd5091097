/// The same numbers with the axes in another order.
///
/// - Parameters:
///   - x: any shape.
///   - axes: for each axis of the result, which of `x` it is.
/// - Returns: `[x.shape[axes[0]], x.shape[axes[1]], …]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func permute<Scalar: ComputeScalar>(_ x: NDArray<Scalar>, _ axes: [Int]) -> NDArray<Scalar> {
  precondition(axes.sorted() == Array(x.shape.indices), "every axis comes once")
  let own = strides(of: x.shape)
  let shape = axes.map { x.shape[$0] }
  if shape.isEmpty || shape.contains(0) { return x.reshaped(shape) }
  let view = axes.map { own[$0] }
  let rows = StridedRows(shape: shape, strides: view)
  let (width, step) = (shape[shape.count - 1], view[view.count - 1])
  let ranges = rowPieces(rows: x.elements.count / width, width: width)
  return unsafe NDArray(shape: shape) { result in
    unsafe x.elements.withUnsafeBufferPointer { x in
      guard let x = x.baseAddress else { return }
      Parallel.forEach(count: ranges.count) { piece in
        for row in ranges[piece] {
          let (from, to) = unsafe (x + rows.start(of: row), result + row * width)
          for i in 0..<width { unsafe to[i] = from[i * step] }
        }
      }
    }
  }
}
