/// How far neighbours along each axis are apart in an array in C order, in elements.
func strides(of shape: [Int]) -> [Int] {
  var strides = Array(repeating: 1, count: shape.count)
  for axis in shape.indices.dropLast().reversed() {
    strides[axis] = strides[axis + 1] * shape[axis + 1]
  }
  return strides
}

/// Where the rows of a strided view of an array begin: the view's elements in C order but for the last axis.
struct StridedRows: Sendable {
  private let outer: [Int]
  private let strides: [Int]

  /// - Parameters:
  ///   - shape: the view's extents.
  ///   - strides: how far neighbours along each of its axes are apart in the array.
  init(shape: [Int], strides: [Int]) {
    outer = Array(shape.dropLast())
    self.strides = Array(strides.dropLast())
  }

  /// Where row `row` begins.
  @inline(__always)
  func start(of row: Int) -> Int {
    var (rest, start) = (row, 0)
    for axis in outer.indices.reversed() {
      let (quotient, index) = rest.quotientAndRemainder(dividingBy: outer[axis])
      start += index * strides[axis]
      rest = quotient
    }
    return start
  }
}

/// How many elements a worker moves at a time, about.
private let elementsPerPiece = 1 << 14

/// Rows of so many elements in pieces: shapes alone decide.
func rowPieces(rows: Int, width: Int) -> [Range<Int>] {
  pieces(of: rows, size: max(1, elementsPerPiece / max(1, width)))
}
