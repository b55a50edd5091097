import Kernels
import Models
import TensorCore

/// How the elements of one tensor stand in another one.
public enum Rearrangement: Equatable, Sendable {
  /// In the same order and shape.
  case inPlace
  /// In the same order, in another shape.
  case reshaped
  /// With the axes in another order: B's axis `i` is A's axis `axes[i]`.
  case transposed(axes: [Int])
  /// Rows or columns in another order.
  case permuted(Cause)
  /// B has that many rows of zeros more than A.
  case padded(rows: Int)
  /// B lacks the last rows of A, all of them zeros.
  case trimmed(rows: Int)
  /// All elements are there, as fingerprints of 64 bits say, in an order that has no name.
  case reordered

  /// In words, as a predicate of B's tensor.
  public var text: String {
    switch self {
    case .inPlace: "the same"
    case .reshaped: "reshaped"
    case .transposed(let axes):
      axes == [1, 0] ? "transposed" : "axes permuted " + describe(shape: axes)
    case .permuted(let cause):
      cause.ownText
    case .padded(let rows): "padded by \(rows) rows of zeros"
    case .trimmed(let rows): "without the last \(rows) rows, which are zero"
    case .reordered: "the same elements in another order"
    }
  }
}

/// Finds out how the elements of `a` stand in `b`, and proves it byte by byte.
///
/// - Parameters:
///   - a: cast to the type of `b` already.
///   - b: a tensor with the same fingerprint.
/// - Returns: how, or `nil` if `b` does not have the elements of `a`.
/// - Throws: `CheckpointError` when bytes cannot be read.
func rearrangement(
  of a: Participant, in b: Participant
) throws(CheckpointError) -> Rearrangement? {
  guard a.elementCount == b.elementCount else { return try padding(a, b) }
  if try hasEqualBytes(a.open(), b.open()) {
    return a.shape == b.shape ? .inPlace : .reshaped
  }
  guard let width = a.dtype.byteWidth, width <= 8 else { return nil }
  for axes in axisOrders(a.shape, b.shape) {
    if try hasEqualBytes(a.open().permuted(axes), b.open()) { return .transposed(axes: axes) }
  }
  return try orderCause(of: b.open(), in: a.open()).map { .permuted($0) } ?? .reordered
}

/// Rows of zeros at the end of one of the two.
private func padding(_ a: Participant, _ b: Participant) throws(CheckpointError) -> Rearrangement? {
  guard let rowsOfA = a.shape.first, let rowsOfB = b.shape.first,
    a.shape.dropFirst() == b.shape.dropFirst()
  else { return nil }
  let (small, large) = rowsOfA < rowsOfB ? (a.open(), b.open()) : (b.open(), a.open())
  var isSame = true
  try Participant.forEachBlock(of: 0..<small.elementCount, small, large) { x, y, _ in
    isSame = isEqual(x, y)
    return isSame
  }
  guard isSame, a.dtype.byteWidth != nil else { return nil }
  let range = small.byteCount..<large.byteCount
  for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 18) {
    let bytes = try large.bytes.read(start..<min(start + 1 << 18, range.upperBound))
    if bytes.contains(where: { $0 != 0 }) { return nil }
  }
  return rowsOfA < rowsOfB
    ? .padded(rows: rowsOfB - rowsOfA) : .trimmed(rows: rowsOfA - rowsOfB)
}

// MARK: Axes

/// The orders of the axes of `a` that give the shape of `b`, but for the one that changes nothing.
func axisOrders(_ a: [Int], _ b: [Int]) -> [[Int]] {
  guard a.count == b.count, (2...4).contains(a.count) else { return [] }
  return permutations(Array(a.indices)).filter { order in
    order != Array(a.indices) && order.enumerated().allSatisfy { a[$1] == b[$0] }
  }
}

extension Tensor {
  /// The tensor with its axes in another order: axis `i` of the result is axis `axes[i]` of this one.
  func permuted(_ axes: [Int]) -> Tensor {
    let newShape = axes.map { shape[$0] }
    let strides = rowMajorStrides(shape)
    let move = Move(reading: Piece(shape: newShape, strides: axes.map { strides[$0] }))
    return Tensor(
      name: name, dtype: dtype, shape: newShape,
      bytes: bytes.moved(move, dtype, count: elementCount))
  }
}
