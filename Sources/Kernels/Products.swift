/// How many columns (output features) a piece of a product has at most.
private let mostColumnsPerPiece = 256
/// How many rows (positions) a piece of a product has.
private let rowsPerPiece = 256

/// How many columns a piece has, of a matrix of so many. Shapes alone decide it, because the cut decides
/// bits: a multiple of four pieces, so that several cores have the same to do.
public func columnsPerPiece(of columns: Int) -> Int {
  guard columns > mostColumnsPerPiece else { return mostColumnsPerPiece }
  let count = (columns + mostColumnsPerPiece - 1) / mostColumnsPerPiece
  let pieces = (count + 3) / 4 * 4
  // Whole vectors, whatever the machine's are.
  return ((columns + pieces - 1) / pieces + 15) / 16 * 16
}

/// `x·Wᵀ + b`: the linear layer.
///
/// - Parameters:
///   - x: `[…, in]`
///   - weight: `[out, in]`
///   - bias: `[out]`, or `nil`
///   - columnsPerPiece: how the product is cut; given when `weight` is a part of a larger matrix.
/// - Returns: `[…, out]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func linear<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, weight: NDArray<Scalar>, bias: NDArray<Scalar>?,
  columnsPerPiece size: Int? = nil
) -> NDArray<Scalar> {
  let (rows, inner, columns) = (x.rows, x.width, weight.rows)
  precondition(weight.width == inner, "a linear layer's input has the wrong width")
  precondition(bias.map { $0.elements.count == columns } ?? true, "a bias has the wrong length")
  var y = NDArray(shape: x.shape.dropLast() + [columns], repeating: Scalar(0))
  if y.elements.isEmpty { return y }

  let rowPieces = pieces(of: rows, size: rowsPerPiece)
  let columnPieces = pieces(of: columns, size: size ?? columnsPerPiece(of: columns))
  unsafe x.elements.withUnsafeBufferPointer { a in
    unsafe weight.elements.withUnsafeBufferPointer { b in
      unsafe y.elements.withUnsafeMutableBufferPointer { c in
        guard let c = c.baseAddress else { return }
        Parallel.forEach(count: rowPieces.count * columnPieces.count) { piece in
          let r = rowPieces[piece / columnPieces.count]
          let k = columnPieces[piece % columnPieces.count]
          let corner = unsafe c + r.lowerBound * columns + k.lowerBound
          if inner > 0, let a = a.baseAddress, let b = b.baseAddress {
            unsafe Scalar.product(
              rows: r.count, columns: k.count, inner: inner,
              a: a + r.lowerBound * inner, strideA: inner,
              b: b + k.lowerBound * inner, strideB: inner, transposeB: true,
              c: corner, strideC: columns)
          }
          guard let bias else { return }
          // While the piece is still near.
          let addend = bias.elements.span
          for row in 0..<r.count {
            let y = unsafe corner + row * columns
            for column in 0..<k.count { unsafe y[column] += addend[k.lowerBound + column] }
          }
        }
      }
    }
  }
  return y
}
