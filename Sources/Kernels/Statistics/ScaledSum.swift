#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A sum of numbers that may be too large or too small for doubles, such as squares: a sum of doubles times a power of 2.
struct ScaledSum: Equatable, Sendable {
  /// The sum, divided by 2^exponent.
  private(set) var sum = CompensatedSum()
  /// The exponent; even for sums of squares.
  private(set) var exponent = 0

  /// Zero.
  ///
  /// - Parameter exponent: that of what will be added.
  init(exponent: Int = 0) {
    self.exponent = exponent
  }

  /// The sum; infinity or 0 if it is no double.
  var value: Double { scalbn(sum.value, Int32(exponent)) }

  /// Adds a number that is divided by 2^exponent already.
  mutating func add(_ x: Double) {
    sum.add(x)
  }

  /// Adds another sum. What is small beside the larger power may be lost in the rounding.
  mutating func add(_ other: ScaledSum) {
    if other.sum.value == 0 { return }
    if sum.value == 0 {
      self = other
      return
    }
    let exponent = max(exponent, other.exponent)
    var more = other
    rescale(to: exponent)
    more.rescale(to: exponent)
    sum.add(more.sum)
  }

  private mutating func rescale(to larger: Int) {
    if larger == exponent { return }
    sum.scale(by: scalbn(1, Int32(exponent - larger)))
    exponent = larger
  }

  /// The root of the quotient of two sums of squares, infinity if only the second one is 0, and 0 if the first one is.
  static func rootOfRatio(_ a: ScaledSum, _ b: ScaledSum) -> Double {
    if a.sum.value == 0 { return 0 }
    if b.sum.value == 0 { return .infinity }
    return scalbn(
      a.sum.value.squareRoot() / b.sum.value.squareRoot(), Int32((a.exponent - b.exponent) / 2))
  }
}
