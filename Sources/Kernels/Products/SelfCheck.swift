/// Whether matrix products come out right on this machine.
///
/// Old versions of OpenBLAS have wrong kernels for new processors. A product of each precision and
/// form is compared with a plain loop in double precision.
///
/// - Returns: what is wrong, or `nil`.
public func arithmeticFault() -> String? {
  fault(in: Float.self, tolerance: 1e-5) ?? fault(in: Double.self, tolerance: 1e-13)
}

private func fault<Scalar: ComputeScalar>(in _: Scalar.Type, tolerance: Double) -> String? {
  // Sizes around the widths of vector kernels, with and without remainders.
  for (rows, columns, inner) in [(1, 1, 1), (7, 33, 65), (64, 64, 64), (5, 300, 129)] {
    let a = pattern(rows * inner, step: 7, Scalar.self)
    let b = pattern(columns * inner, step: 11, Scalar.self)
    for transposeB in [false, true] {
      var c = [Scalar](repeating: .nan, count: rows * columns)
      unsafe a.withUnsafeBufferPointer { a in
        unsafe b.withUnsafeBufferPointer { b in
          unsafe c.withUnsafeMutableBufferPointer { c in
            guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else {
              return
            }
            Parallel.prepare()
            unsafe Scalar.product(
              rows: rows, columns: columns, inner: inner, a: a, strideA: inner,
              b: b, strideB: transposeB ? inner : columns, transposeB: transposeB,
              c: c, strideC: columns, accumulates: false)
          }
        }
      }
      for row in 0..<rows {
        for column in 0..<columns {
          var sum = 0.0
          for k in 0..<inner {
            let index = transposeB ? column * inner + k : k * columns + column
            sum += Double(a[row * inner + k]) * Double(b[index])
          }
          // Written so that a NaN is a fault.
          let error = abs(Double(c[row * columns + column]) - sum)
          guard error <= tolerance * Double(inner) else {
            return "a product [\(rows), \(inner)]·[\(inner), \(columns)] in \(Scalar.self) is wrong"
          }
        }
      }
    }
  }
  return nil
}

/// Numbers between −1 and 1 that do not repeat soon.
private func pattern<Scalar: ComputeScalar>(
  _ count: Int, step: Int, _: Scalar.Type
) -> [Scalar] {
  (0..<count).map { Scalar($0 * step % 101 - 50) / 50 }
}
