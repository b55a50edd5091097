public import Kernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How far an array is from what it should be.
public struct Deviation: Sendable {
  /// The output or state.
  public let name: String
  /// Its shape.
  public let shape: [Int]
  /// The largest |value − expected|; infinite if one is NaN or infinite and the other is not so.
  public let error: Double
  /// The largest |expected|, over the finite values.
  public let scale: Double
  /// The index of the row with the largest error, without the last axis.
  public let worstRow: [Int]
  /// Whether all bits are equal, signs of zeros and NaN payloads included.
  public let isIdentical: Bool

  /// The error relative to the largest expected value.
  public var relative: Double {
    error == 0 ? 0 : scale == 0 ? .infinity : error / scale
  }

  /// Compares `values` with `expected`, element by element.
  ///
  /// - Precondition: the shapes are equal.
  @specialized(where Value == Float, Expected == Float)
  @specialized(where Value == Double, Expected == Double)
  public init<Value: ComputeScalar, Expected: ComputeScalar>(
    _ name: String, _ values: NDArray<Value>, from expected: NDArray<Expected>
  ) {
    precondition(values.shape == expected.shape)
    self.name = name
    shape = values.shape
    var (largestError, worst, scale, identical) = (0.0, 0, 0.0, Value.self == Expected.self)
    for index in values.elements.indices {
      let (value, goal) = (Double(values.elements[index]), Double(expected.elements[index]))
      if goal.isFinite { scale = max(scale, abs(goal)) }
      if value.bitPattern == goal.bitPattern { continue }
      identical = false
      let error = distance(value, goal)
      if error > largestError { (largestError, worst) = (error, index) }
    }
    error = largestError
    self.scale = scale
    isIdentical = identical
    worstRow = position(of: worst, in: values.shape)
  }
}

/// Whether two arrays have the same shape and the same bits.
func hasEqualBits<Scalar: ComputeScalar>(_ a: NDArray<Scalar>, _ b: NDArray<Scalar>) -> Bool {
  guard a.shape == b.shape else { return false }
  return unsafe a.elements.withUnsafeBytes { x in
    unsafe b.elements.withUnsafeBytes { y in
      guard let left = x.baseAddress, let right = y.baseAddress else { return x.count == y.count }
      return unsafe memcmp(left, right, x.count) == 0
    }
  }
}

/// |a − b|, where two NaNs, or two equal infinities, are no distance apart, and anything else that is
/// not finite is infinitely far.
private func distance(_ a: Double, _ b: Double) -> Double {
  if a == b || a.isNaN && b.isNaN { return 0 }
  let distance = abs(a - b)
  return distance.isFinite ? distance : .infinity
}

/// The index of the row that holds flat element `element`.
private func position(of element: Int, in shape: [Int]) -> [Int] {
  var (rest, index) = (element / max(1, shape.last ?? 1), [Int]())
  for extent in shape.dropLast().reversed() where extent > 0 {
    index.insert(rest % extent, at: 0)
    rest /= extent
  }
  return index
}
