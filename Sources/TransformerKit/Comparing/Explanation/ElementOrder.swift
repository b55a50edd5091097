import Kernels
import Models
import TensorCore

/// How the elements of `a` stand in `b`, of the same type and shape: the usual mistake that makes that order, proven byte by
/// byte; `nil` if it is none that has a name.
///
/// - Parameter heads: the heads that the rows stand in, if they do.
/// - Throws: `CheckpointError` when bytes cannot be read.
func orderCause(
  of b: Tensor, in a: Tensor, heads: HeadOrder? = nil
) throws(CheckpointError) -> Cause? {
  guard a.shape == b.shape, a.dtype == b.dtype else { return nil }
  if try a.isReshaped(to: b) { return a.shape[0] == a.shape[1] ? .transposed : .reshaped }
  let areKernels = a.shape.count > 2
  if let found = try lineOrder(of: b, in: a) {
    guard areKernels, found.axis == 1 else {
      return cause(ofOrder: found.order, axis: found.axis, heads: heads)
    }
    return kernelCause(ofOrder: found.order, shape: a.shape) ?? .permuted(axis: 1, block: 1)
  }
  guard areKernels else { return nil }
  for axes in axisOrders(a.shape, b.shape) where try hasEqualBytes(a.permuted(axes), b) {
    return .kernels(KernelOrder(axes: axes, reversed: [], hasShape: true))
  }
  return nil
}

extension Explainer {
  /// Heads in a wrong order, or a matrix that is transposed, and after that a change of its elements.
  func changedRearrangement(
    _ x: Tensor, _ y: Tensor, of path: String
  ) throws(CheckpointError) -> Cause? {
    guard x.byteCount <= mostReorderedBytes else { return nil }
    if let part = a.headPart(ofWeight: path), x.shape[0] == part.heads * part.size {
      for (order, cause) in part.usualMistakes {
        let rows = (0..<x.shape[0]).lazy.filter { order($0) != $0 }.prefix(8)
        guard try isLike(y, x, rows: rows.map { ($0, order($0)) }) else { continue }
        let moved = try x.reordered(axis: 0, order)
        if let change = try moved.change(to: y) { return .both(cause, change) }
      }
    }
    guard x.shape.count == 2, x.shape[0] == x.shape[1] else { return nil }
    let turned = x.permuted([1, 0])
    let rows = (0..<min(8, x.shape[0])).map { ($0, $0) }
    guard try isLike(y, turned, rows: rows) else { return nil }
    return try turned.change(to: y).map { .both(.transposed, $0) }
  }

  /// Whether one of some rows points where the row of another matrix does that it would be.
  private func isLike(
    _ y: Tensor, _ x: Tensor, rows: [(here: Int, there: Int)]
  ) throws(CheckpointError) -> Bool {
    let columns = y.shape.dropFirst().reduce(1, *)
    for (row, there) in rows {
      let (a, b) = (
        ElementSample(try x.doubles(there * columns..<(there + 1) * columns)),
        ElementSample(try y.doubles(row * columns..<(row + 1) * columns))
      )
      if columns < 8 || abs(b.correlation(with: a)) > 0.9 { return true }
    }
    return false
  }
}

/// Larger matrices are not brought into another order to try it.
let mostReorderedBytes = 1 << 28

extension HeadPart {
  /// The rows of B by the usual mistakes, as rows of A.
  fileprivate var usualMistakes: [((Int) -> Int, Cause)] {
    let order = order
    let pairs: [((Int) -> Int, Cause)] = [
      (order.interleaved, .interleaved(axis: 0, headSize: size, inverse: false)),
      (order.split, .interleaved(axis: 0, headSize: size, inverse: true)),
    ]
    let whole: ((Int) -> Int, Cause) = (
      { $0 % heads * size + $0 / heads }, .headsTransposed(axis: 0, heads: heads)
    )
    return (order.hasPairs ? pairs : []) + (heads > 1 ? [whole] : [])
  }
}

extension Tensor {
  /// Whether `other` is this matrix, given the other shape instead of being transposed; a square one transposed.
  func isReshaped(to other: Tensor) throws(CheckpointError) -> Bool {
    guard shape.count == 2 else { return false }
    if try hasEqualBytes(permuted([1, 0]), other) { return true }
    let turned = Tensor(name: name, dtype: dtype, shape: shape.reversed(), bytes: bytes)
    return try hasEqualBytes(turned.permuted([1, 0]), other)
  }

  /// What its elements are, in whatever order.
  func fingerprint() throws(CheckpointError) -> Fingerprint {
    var fingerprint = Fingerprint(dtype)
    try stream(of: 0..<elementCount) { bytes, _ in fingerprint.add(bytes) }
    return fingerprint
  }
}
