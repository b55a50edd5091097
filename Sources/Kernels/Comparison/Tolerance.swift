/// How far two numbers may be apart and still count as the same: |b − a| ≤ absolute + relative · |a|.
public struct Tolerance: Equatable, Sendable {
  /// What may be added to any number.
  public let absolute: Double
  /// What may be added to a number, as a part of its magnitude.
  public let relative: Double

  /// A tolerance; neither part is negative or NaN.
  public init(absolute: Double, relative: Double) {
    (self.absolute, self.relative) = (absolute, relative)
  }

  /// How many numbers of `b` are further from those of `a`, at the same places. Two infinities of one sign
  /// are no distance apart, nor are two NaN; what else is not finite is infinitely far.
  func count(beyond a: [Double], _ b: [Double]) -> Int {
    var count = 0
    for (x, y) in zip(a, b) where x != y && !(x.isNaN && y.isNaN) {
      let isWithin = y.isFinite && abs(y - x) <= absolute + relative * abs(x)
      if !isWithin || !x.isFinite { count += 1 }
    }
    return count
  }
}
