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

/// `a ⊙ b`, element by element.
///
/// - Precondition: the shapes are equal.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func multiply<Scalar: ComputeScalar>(
  _ a: consuming NDArray<Scalar>, _ b: NDArray<Scalar>
) -> NDArray<Scalar> {
  precondition(a.shape == b.shape, "the factors of a product have different shapes")
  var products = a.elements.mutableSpan
  let factors = b.elements.span
  for index in factors.indices { products[index] *= factors[index] }
  return a
}

/// Every element, but none above `bound` or below `−bound`. NaN stays NaN.
///
/// - Precondition: the bound is not negative.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func clamped<Scalar: ComputeScalar>(
  _ x: consuming NDArray<Scalar>, to bound: Double
) -> NDArray<Scalar> {
  let bound = Scalar(bound)
  var values = x.elements.mutableSpan
  for index in values.indices {
    if values[index] > bound { values[index] = bound }
    if values[index] < -bound { values[index] = -bound }
  }
  return x
}

/// `x · factor` for every element.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func scaled<Scalar: ComputeScalar>(
  _ x: consuming NDArray<Scalar>, by factor: Double
) -> NDArray<Scalar> {
  var values = x.elements.mutableSpan
  for index in values.indices { values[index] *= Scalar(factor) }
  return x
}

/// `c·tanh(x/c)`: numbers bent so that none is beyond `c`. Bello et al., arXiv 1611.09940, §5; arXiv
/// 2408.00118, §2.
public func softcapped<Scalar: ComputeScalar>(
  _ x: consuming NDArray<Scalar>, bound: Double
) -> NDArray<Scalar> {
  scaled(apply(.tanh, to: scaled(x, by: 1 / bound)), by: bound)
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

/// The row of each sequence at a position of its own: `[…, length, width]` to `[…, width]`.
///
/// - Parameter positions: one for each sequence, in C order.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func selectPositions<Scalar: ComputeScalar>(
  _ positions: [Int], of x: NDArray<Scalar>
) -> NDArray<Scalar> {
  let (outer, length) = (x.shape.dropLast(2), x.shape[x.shape.count - 2])
  precondition(positions.count * length == x.rows, "there is not one position for each sequence")
  var rows: [Scalar] = []
  rows.reserveCapacity(positions.count * x.width)
  for (sequence, position) in positions.enumerated() {
    rows += x.row(sequence * length + position)
  }
  return NDArray(shape: outer + [x.width], elements: rows)
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

/// Replaces the positions from `first` on of every sequence of `y`, `[batch, length, width]`, by those of
/// `x`.
///
/// - Precondition: `y` has so many sequences and positions.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func replacePositions<Scalar: ComputeScalar>(
  of y: inout NDArray<Scalar>, from first: Int, by x: NDArray<Scalar>
) {
  let (length, width, count) = (y.shape[1], y.width, x.shape[1])
  precondition(x.shape[0] == y.shape[0] && x.width == width && first + count <= length)
  for member in 0..<y.shape[0] {
    let start = (member * length + first) * width
    y.elements.replaceSubrange(
      start..<start + count * width,
      with: x.elements[member * count * width..<(member + 1) * count * width])
  }
}
