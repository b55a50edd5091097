/// The largest numbers of each row, and where they are.
public struct LargestOfRows<Scalar: ComputeScalar>: Sendable {
  /// `[…, count]`, from the largest down.
  public let values: NDArray<Scalar>
  /// `[…, count]`: their places in the row.
  public let places: NDArray<Int>
}

/// The `count` largest numbers along the last axis, from the largest down. Of equal ones the first comes
/// first; what is no number is larger than any, as in PyTorch.
///
/// - Precondition: a row has as many.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func largest<Scalar: ComputeScalar>(
  _ count: Int, of x: NDArray<Scalar>
) -> LargestOfRows<Scalar> {
  precondition(count >= 0 && count <= x.width, "rows have fewer numbers")
  var values: [Scalar] = []
  var places: [Int] = []
  for row in 0..<x.rows {
    let start = row * x.width
    // The best so far, the worst of them last.
    var best: [Int] = []
    for place in start..<start + x.width {
      if best.count == count, let worst = best.last, !exceeds(x.elements[place], x.elements[worst])
      {
        continue
      }
      var index = best.count
      while index > 0, exceeds(x.elements[place], x.elements[best[index - 1]]) { index -= 1 }
      best.insert(place, at: index)
      if best.count > count { best.removeLast() }
    }
    values += best.map { x.elements[$0] }
    places += best.map { $0 - start }
  }
  let shape = x.shape.dropLast() + [count]
  return LargestOfRows(
    values: NDArray(shape: Array(shape), elements: values),
    places: NDArray(shape: Array(shape), elements: places))
}

@inline(__always)
private func exceeds<Scalar: ComputeScalar>(_ a: Scalar, _ b: Scalar) -> Bool {
  a > b || a.isNaN && !b.isNaN
}
