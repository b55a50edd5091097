/// Whether matrix products come out right on this machine.
///
/// Old versions of OpenBLAS have wrong kernels for new processors. Products of whole numbers, whose sums both
/// precisions hold exactly in whatever order they are added up, are compared with sums of integers. The numbers of one
/// factor have eleven bits, so that arithmetic of fewer is a fault too.
///
/// - Returns: what is wrong, or `nil`.
public func arithmeticFault() -> String? {
  // Sizes around the widths of vector kernels, with and without remainders.
  for (rows, columns, inner) in [(1, 1, 1), (7, 33, 65), (48, 64, 33), (5, 100, 129)] {
    let check = ProductCheck(rows: rows, columns: columns, inner: inner)
    if let fault = check.fault(in: Float.self) ?? check.fault(in: Double.self) { return fault }
  }
  return nil
}

/// A product `[rows, inner]·[inner, columns]` of whole numbers, and what it is.
private struct ProductCheck {
  let rows: Int
  let columns: Int
  let inner: Int
  private let a: [Int32]
  private let b: [Int32]
  private let sums: [Int32]

  init(rows: Int, columns: Int, inner: Int) {
    (self.rows, self.columns, self.inner) = (rows, columns, inner)
    a = pattern(rows * inner, step: 709, below: 1024)
    b = pattern(columns * inner, step: 11, below: 32)
    // Below 2^24 in magnitude: 1023 · 31 · 129 is 4,090,977.
    var sums = [Int32](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for k in 0..<inner {
        let factor = a[row * inner + k]
        for column in 0..<columns {
          sums[row * columns + column] &+= factor &* b[k * columns + column]
        }
      }
    }
    self.sums = sums
  }

  /// What is wrong with the product in a precision, of the second factor as it is and transposed.
  func fault<Scalar: ComputeScalar>(in _: Scalar.Type) -> String? {
    let a = a.map { Scalar($0) }
    for transposed in [false, true] {
      let b = (transposed ? turned : b).map { Scalar($0) }
      var c = [Scalar](repeating: .nan, count: rows * columns)
      unsafe a.withUnsafeBufferPointer { a in
        unsafe b.withUnsafeBufferPointer { b in
          unsafe c.withUnsafeMutableBufferPointer { c in
            guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else {
              return
            }
            unsafe Scalar.product(
              rows: rows, columns: columns, inner: inner, a: a, strideA: inner,
              b: b, strideB: transposed ? inner : columns, transposeB: transposed,
              c: c, strideC: columns, accumulates: false)
          }
        }
      }
      // A NaN is unequal to everything.
      guard zip(c, sums).allSatisfy({ $0 == Scalar($1) }) else {
        return "a product [\(rows), \(inner)]·[\(inner), \(columns)] in \(Scalar.self) is wrong"
      }
    }
    return nil
  }

  /// The second factor, `[columns, inner]`.
  private var turned: [Int32] {
    (0..<columns * inner).map { b[$0 % inner * columns + $0 / inner] }
  }
}

/// Whole numbers of a magnitude below `bound` that do not repeat soon.
private func pattern(_ count: Int, step: Int, below bound: Int) -> [Int32] {
  (0..<count).map { Int32($0 * step % (2 * bound - 1) - (bound - 1)) }
}
