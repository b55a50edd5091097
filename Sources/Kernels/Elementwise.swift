/// `a + b`, element by element.
///
/// - Precondition: the shapes are equal.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func add<Scalar: ComputeScalar>(
  _ a: consuming NDArray<Scalar>, _ b: NDArray<Scalar>
) -> NDArray<Scalar> {
  precondition(a.shape == b.shape, "the terms of a sum have different shapes")
  var sums = a.elements.mutableSpan
  let terms = b.elements.span
  for index in terms.indices { sums[index] += terms[index] }
  return a
}

/// The row of every batch member at one position: `[batch, length, width]` to `[batch, width]`.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func position<Scalar: ComputeScalar>(
  _ position: Int, of x: NDArray<Scalar>
) -> NDArray<Scalar> {
  let (batch, length, width) = (x.shape[0], x.shape[1], x.shape[2])
  var rows: [Scalar] = []
  rows.reserveCapacity(batch * width)
  for member in 0..<batch { rows += x.row(member * length + position) }
  return NDArray(shape: [batch, width], elements: rows)
}

/// One element of the last axis of each row: `[…, width]` to `[…]`.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func column<Scalar: ComputeScalar>(
  _ index: Int, of x: NDArray<Scalar>
) -> NDArray<Scalar> {
  let elements = (0..<x.rows).map { x.elements[$0 * x.width + index] }
  return NDArray(shape: Array(x.shape.dropLast()), elements: elements)
}
