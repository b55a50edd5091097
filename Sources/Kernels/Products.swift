/// How many columns (output features) a piece of a product has. Fixed, because the cut decides bits.
private let columnsPerPiece = 256
/// How many rows (positions) a piece of a product has.
private let rowsPerPiece = 256

/// `x·Wᵀ + b`: the linear layer.
///
/// - Parameters:
///   - x: `[…, in]`
///   - weight: `[out, in]`
///   - bias: `[out]`, or `nil`
/// - Returns: `[…, out]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func linear<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, weight: NDArray<Scalar>, bias: NDArray<Scalar>?
) -> NDArray<Scalar> {
  let (rows, inner, columns) = (x.rows, x.width, weight.rows)
  precondition(weight.width == inner, "a linear layer's input has the wrong width")
  precondition(bias.map { $0.elements.count == columns } ?? true, "a bias has the wrong length")
  var y = NDArray(shape: x.shape.dropLast() + [columns], repeating: Scalar(0))
  if y.elements.isEmpty || inner == 0 { return addingBias(to: y, bias) }

  let rowPieces = pieces(of: rows, size: rowsPerPiece)
  let columnPieces = pieces(of: columns, size: columnsPerPiece)
  unsafe x.elements.withUnsafeBufferPointer { a in
    unsafe weight.elements.withUnsafeBufferPointer { b in
      unsafe y.elements.withUnsafeMutableBufferPointer { c in
        guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
        Parallel.forEach(count: rowPieces.count * columnPieces.count) { piece in
          let r = rowPieces[piece / columnPieces.count]
          let k = columnPieces[piece % columnPieces.count]
          unsafe Scalar.product(
            rows: r.count, columns: k.count, inner: inner,
            a: a + r.lowerBound * inner, strideA: inner,
            b: b + k.lowerBound * inner, strideB: inner, transposeB: true,
            c: c + r.lowerBound * columns + k.lowerBound, strideC: columns)
        }
      }
    }
  }
  return addingBias(to: y, bias)
}

/// `y + b` for every row.
private func addingBias<Scalar: ComputeScalar>(
  to y: consuming NDArray<Scalar>, _ bias: NDArray<Scalar>?
) -> NDArray<Scalar> {
  guard let bias else { return y }
  let columns = bias.elements.count
  guard columns > 0 else { return y }
  var sums = y.elements.mutableSpan
  let addend = bias.elements.span
  var row = 0
  while row < sums.count {
    for column in 0..<columns { sums[row + column] += addend[column] }
    row += columns
  }
  return y
}
