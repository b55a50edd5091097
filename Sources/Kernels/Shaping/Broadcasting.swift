/// `a + b`, where an axis of extent 1, or one that is missing in front, repeats as often as the other array
/// has it.
///
/// NumPy: "Broadcasting".
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func addBroadcasting<Scalar: ComputeScalar>(
  _ a: NDArray<Scalar>, _ b: NDArray<Scalar>
) -> NDArray<Scalar> {
  combine(a, b) { $0 + $1 }
}

/// `a ⊙ b`, likewise.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func multiplyBroadcasting<Scalar: ComputeScalar>(
  _ a: NDArray<Scalar>, _ b: NDArray<Scalar>
) -> NDArray<Scalar> {
  combine(a, b) { $0 * $1 }
}

/// The shape in which both fit.
///
/// - Precondition: there is one.
func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int] {
  let count = max(a.count, b.count)
  return (0..<count).map { axis in
    let extents = [a, b].map { shape in
      axis < count - shape.count ? 1 : shape[axis - (count - shape.count)]
    }
    precondition(
      extents[0] == extents[1] || extents.contains(1), "the shapes \(a) and \(b) do not fit")
    return extents[0] == 1 ? extents[1] : extents[0]
  }
}

/// How far neighbours along each axis of `shape` are apart in an array that repeats to fill it.
func broadcastStrides(of own: [Int], in shape: [Int]) -> [Int] {
  let missing = Array(repeating: 0, count: shape.count - own.count)
  return missing + zip(own, strides(of: own)).map { $0 == 1 ? 0 : $1 }
}

@inline(__always)
private func combine<Scalar: ComputeScalar>(
  _ a: NDArray<Scalar>, _ b: NDArray<Scalar>, _ operation: (Scalar, Scalar) -> Scalar
) -> NDArray<Scalar> {
  let shape = broadcastShape(a.shape, b.shape)
  let (first, second) = (
    broadcastStrides(of: a.shape, in: shape), broadcastStrides(of: b.shape, in: shape)
  )
  let width = shape.last ?? 1
  let (firstStep, secondStep) = (first.last ?? 0, second.last ?? 0)
  let (firstRows, secondRows) = (
    StridedRows(shape: shape, strides: first), StridedRows(shape: shape, strides: second)
  )
  let ranges = rowPieces(rows: shape.dropLast().reduce(1, *), width: width)
  return unsafe NDArray(shape: shape) { result in
    unsafe withPointers(to: [a.elements, b.elements]) { pointers in
      Parallel.forEach(count: width == 0 ? 0 : ranges.count) { piece in
        for row in ranges[piece] {
          let a = unsafe pointers[0] + firstRows.start(of: row)
          let b = unsafe pointers[1] + secondRows.start(of: row)
          let result = unsafe result + row * width
          for i in 0..<width {
            unsafe result[i] = operation(a[i * firstStep], b[i * secondStep])
          }
        }
      }
    }
  }
}
