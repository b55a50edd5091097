import TensorCore

/// How much of a weight differs, and where most.
public struct Difference: Equatable, Sendable {
  /// The number of elements that differ.
  public let count: Int
  /// The number of elements.
  public let total: Int
  /// The row, or the column, that all of them stand in, if there is one such.
  public let line: String?
  /// Where the difference is largest.
  public let index: [Int]
  /// The elements of A and B there.
  public let a: Double
  public let b: Double
  /// The type that A's elements were rounded to, if B has another one.
  private let rounding: DType?

  /// Compares two tensors of the same computable type and shape.
  ///
  /// - Parameter original: the type of A's elements before they were rounded to that of B's.
  /// - Throws: `CheckpointError` when the bytes cannot be read.
  init(_ x: Tensor, _ y: Tensor, from original: DType? = nil) throws(CheckpointError) {
    rounding = original == x.dtype ? nil : original.map { _ in x.dtype }
    let columns = x.shape.dropFirst().reduce(1, *)
    let region = try Region(differing: x, y)
    var (count, place) = (0, 0)
    var largest = (distance: -1.0, a: 0.0, b: 0.0)
    for row in region.rows {
      let range = row * columns..<(row + 1) * columns
      let (a, b) = (try x.doubles(range), try y.doubles(range))
      for column in region.columns where a[column].bitPattern != b[column].bitPattern {
        count += 1
        let distance = distance(a[column], b[column])
        guard distance > largest.distance else { continue }
        largest = (distance, a[column], b[column])
        place = row * columns + column
      }
    }
    (self.count, total, a, b) = (count, x.elementCount, largest.a, largest.b)
    let isMatrix = x.shape.count > 1
    line =
      isMatrix && region.rows.count == 1
      ? "row \(region.rows[0])"
      : isMatrix && region.columns.count == 1 ? "column \(region.columns[0])" : nil
    index = x.index(of: place)
  }

  /// The difference in words.
  public var text: String {
    let there = rounding.map { "A rounded to \($0)" } ?? "A"
    let most = "\(describe(shape: index)) is \(Float(a)) in \(there) and \(Float(b)) in B"
    if count == 1 { return "1 of \(total) elements differs: \(most)" }
    let place = line.map { ", all in \($0)" } ?? ""
    return "\(count) of \(total) elements differ\(place); most of all \(most)"
  }
}
