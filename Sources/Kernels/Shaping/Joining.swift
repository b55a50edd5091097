/// Arrays one behind the other along an axis.
///
/// - Parameters:
///   - parts: at least one; equal shapes but for that axis.
///   - axis: which one.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func join<Scalar: ComputeScalar>(_ parts: [NDArray<Scalar>], axis: Int) -> NDArray<Scalar> {
  precondition(!parts.isEmpty, "nothing to join")
  var shape = parts[0].shape
  shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
  for part in parts {
    var same = part.shape
    precondition(same.count == shape.count, "what is joined has different axes")
    same[axis] = shape[axis]
    precondition(same == shape, "what is joined differs along other axes")
  }
  var elements: [Scalar] = []
  elements.reserveCapacity(shape.reduce(1, *))
  let (outer, inner) = (shape[..<axis].reduce(1, *), shape[(axis + 1)...].reduce(1, *))
  for index in 0..<outer {
    for part in parts {
      let run = part.shape[axis] * inner
      elements += part.elements[index * run..<(index + 1) * run]
    }
  }
  return NDArray(shape: shape, elements: elements)
}

/// The parts of an array along an axis.
///
/// - Parameters:
///   - axis: which one.
///   - sizes: how much of it each part has, in order; together all of it.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func split<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, axis: Int, sizes: [Int]
) -> [NDArray<Scalar>] {
  precondition(sizes.reduce(0, +) == x.shape[axis], "parts do not make up the axis")
  let (outer, inner) = (x.shape[..<axis].reduce(1, *), x.shape[(axis + 1)...].reduce(1, *))
  let stride = x.shape[axis] * inner
  var first = 0
  return sizes.map { size in
    var shape = x.shape
    shape[axis] = size
    var elements: [Scalar] = []
    elements.reserveCapacity(outer * size * inner)
    for index in 0..<outer {
      let start = index * stride + first * inner
      elements += x.elements[start..<start + size * inner]
    }
    first += size
    return NDArray(shape: shape, elements: elements)
  }
}

/// Rows of a table, in any order and as often as they are named.
///
/// - Parameters:
///   - x: `[rows, width]`
///   - rows: `[…]`, numbers of rows.
/// - Returns: `[…, width]`
/// - Precondition: the table has those rows.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func gatherRows<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, _ rows: NDArray<Int>
) -> NDArray<Scalar> {
  precondition(x.shape.count == 2, "a table has rows and columns")
  let width = x.width
  var elements: [Scalar] = []
  elements.reserveCapacity(rows.elements.count * width)
  for row in rows.elements { elements += x.elements[row * width..<(row + 1) * width] }
  return NDArray(shape: rows.shape + [width], elements: elements)
}

extension NDArray {
  /// The parts of the first axis with these numbers, in any order and as often as they are named: `[rows, …]`.
  ///
  /// - Precondition: there are such parts.
  public func selectingRows(_ rows: [Int]) -> NDArray {
    let size = shape.dropFirst().reduce(1, *)
    var selected: [Element] = []
    selected.reserveCapacity(rows.count * size)
    for row in rows { selected += elements[row * size..<(row + 1) * size] }
    return NDArray(shape: [rows.count] + shape.dropFirst(), elements: selected)
  }
}
