/// A sum of doubles that keeps what rounding takes away, about twice the precision of a plain one.
///
/// Knuth's TwoSum, as in Ogita, Rump and Oishi, "Accurate Sum and Dot Product", SIAM J. Sci. Comput.
/// 26 (2005): the error is at most ε·|Σx| + n²·ε²·Σ|x|, with ε = 2⁻⁵³.
public struct CompensatedSum: Equatable, Sendable {
  /// The rounded sum.
  private var high = 0.0
  /// What the roundings took away.
  private var low = 0.0

  /// Zero.
  public init() {}

  /// The sum of a value and of what was rounded away from it.
  init(_ high: Double, _ low: Double = 0) {
    self.high = high
    self.low = low
  }

  /// The sum, rounded.
  public var value: Double { high + low }

  /// Adds a number.
  public mutating func add(_ x: Double) {
    let sum = high + x
    let part = sum - high
    low += (high - (sum - part)) + (x - part)
    high = sum
  }

  /// Multiplies the sum by a power of 2.
  mutating func scale(by power: Double) {
    high *= power
    low *= power
  }

  /// Adds another sum.
  public mutating func add(_ other: CompensatedSum) {
    add(other.high)
    low += other.low
  }
}
