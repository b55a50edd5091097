internal import CVector

extension Float {
  @unsafe public static func combine(
    _ factors: UnsafePointer<Float>, count: Int, rows: UnsafePointer<Float>, stride: Int,
    into y: UnsafeMutableBufferPointer<Float>
  ) {
    unsafe tfkit_combine(factors, count, rows, stride, y.baseAddress, y.count)
  }
}

extension Double {
  @unsafe public static func combine(
    _ factors: UnsafePointer<Double>, count: Int, rows: UnsafePointer<Double>, stride: Int,
    into y: UnsafeMutableBufferPointer<Double>
  ) {
    unsafe tfkit_combine_doubles(factors, count, rows, stride, y.baseAddress, y.count)
  }
}

/// The product of a tall matrix and a wide one, `[rows, rank] · [rank, columns]`, of which any part is computed
/// when it is asked for.
///
/// Each element is a chain of fused steps over the rank, from the first on, with the same bits on every processor.
package struct LowRankProduct<Scalar: ComputeScalar>: Sendable {
  /// `[rows, rank]`
  private let left: [Scalar]
  /// `[rank, columns]`
  private let right: [Scalar]
  private let rank: Int
  private let columns: Int

  /// - Precondition: `left` has whole rows of `rank` elements, and `right` has `rank` rows of `columns`.
  package init(left: [Scalar], right: [Scalar], rank: Int, columns: Int) {
    precondition(rank > 0 && columns > 0 && left.count.isMultiple(of: rank))
    precondition(right.count == rank * columns)
    (self.left, self.right, self.rank, self.columns) = (left, right, rank, columns)
  }

  /// A range of the product's elements, in C order.
  package func elements(_ range: Range<Int>) -> [Scalar] {
    precondition(range.lowerBound >= 0 && range.upperBound <= left.count / rank * columns)
    return unsafe [Scalar](unsafeUninitializedCapacity: range.count) { buffer, count in
      unsafe left.withUnsafeBufferPointer { left in
        unsafe right.withUnsafeBufferPointer { right in
          var element = range.lowerBound
          while element < range.upperBound {
            let (row, column) = element.quotientAndRemainder(dividingBy: columns)
            let end = min(element - column + columns, range.upperBound)
            let place = element - range.lowerBound..<end - range.lowerBound
            if let factors = left.baseAddress, let rows = right.baseAddress {
              unsafe Scalar.combine(
                factors + row * rank, count: rank, rows: rows + column, stride: columns,
                into: UnsafeMutableBufferPointer(rebasing: buffer[place]))
            }
            element = end
          }
        }
      }
      count = range.count
    }
  }
}
