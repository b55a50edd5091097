/// How many rows a piece of a product has.
private let rowsPerPiece = 512

/// `a·b` or `a·bᵀ` for each pair of matrices.
///
/// - Parameters:
///   - a: `[…, rows, inner]`
///   - b: `[…, inner, columns]`, or `[…, columns, inner]` if `isTransposed`. The axes in front fit those of `a`
///     as in `addBroadcasting`.
///   - isTransposed: whether `b` is.
/// - Returns: `[…, rows, columns]`
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func batchedProduct<Scalar: ComputeScalar>(
  _ a: NDArray<Scalar>, _ b: NDArray<Scalar>, isTransposed: Bool = false
) -> NDArray<Scalar> {
  precondition(a.shape.count >= 2 && b.shape.count >= 2, "a product is of matrices")
  let (rows, inner) = (a.shape[a.shape.count - 2], a.width)
  let last = (b.shape[b.shape.count - 2], b.width)
  let columns = isTransposed ? last.0 : last.1
  precondition((isTransposed ? last.1 : last.0) == inner, "the factors of a product do not fit")
  let batch = BatchOfPairs(Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)))
  let shape = batch.shape + [rows, columns]
  if shape.contains(0) || inner == 0 { return NDArray(shape: shape, repeating: 0) }
  let rowRanges = pieces(of: rows, size: rowsPerPiece)
  let columnRanges = pieces(of: columns, size: columnsPerPiece(of: columns))
  let cuts = rowRanges.count * columnRanges.count
  return unsafe NDArray(shape: shape) { result in
    unsafe withPointers(to: [a.elements, b.elements]) { pointers in
      Parallel.forEach(count: batch.count * cuts) { piece in
        let (first, second) = batch[piece / cuts]
        let rowRange = rowRanges[piece % cuts / columnRanges.count]
        let columnRange = columnRanges[piece % columnRanges.count]
        let start = columnRange.lowerBound * (isTransposed ? inner : 1)
        unsafe Scalar.product(
          rows: rowRange.count, columns: columnRange.count, inner: inner,
          a: pointers[0] + (first * rows + rowRange.lowerBound) * inner, strideA: inner,
          b: pointers[1] + second * inner * columns + start,
          strideB: isTransposed ? inner : columns, transposeB: isTransposed,
          c: result + (piece / cuts * rows + rowRange.lowerBound) * columns
            + columnRange.lowerBound,
          strideC: columns, accumulates: false)
      }
    }
  }
}

/// Which matrices are multiplied with each other.
private struct BatchOfPairs: Sendable {
  let shape: [Int]
  private let first: StridedRows
  private let second: StridedRows

  init(_ a: [Int], _ b: [Int]) {
    shape = broadcastShape(a, b)
    // The last axis is that of the matrices' elements, of which there is one here.
    first = StridedRows(shape: shape + [1], strides: broadcastStrides(of: a, in: shape) + [1])
    second = StridedRows(shape: shape + [1], strides: broadcastStrides(of: b, in: shape) + [1])
  }

  var count: Int { shape.reduce(1, *) }

  /// The numbers of the matrices of pair `index`.
  subscript(index: Int) -> (Int, Int) { (first.start(of: index), second.start(of: index)) }
}
