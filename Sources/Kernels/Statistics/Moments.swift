/// Extremes, sum and squared deviations of finite numbers; two of them merge into one.
///
/// Deviations are taken from the mean of each run of numbers, and merged by the formula of Chan, Golub
/// and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979. So
/// nothing cancels, however far the mean is from zero.
public struct Moments: Equatable, Sendable {
  /// How many numbers.
  public private(set) var count = 0
  /// The smallest; infinity if there are none.
  public private(set) var minimum = Double.infinity
  /// The largest; minus infinity if there are none.
  public private(set) var maximum = -Double.infinity
  /// The sum.
  private var sum = CompensatedSum()
  /// The squared distances from the mean, added up.
  private var squares = CompensatedSum()

  /// What mean, deviation and norm are to be multiplied by.
  private var unit = 1.0

  /// None.
  public init() {}

  init(count: Int, minimum: Double, maximum: Double, sum: CompensatedSum, squares: Double) {
    self.count = count
    self.minimum = minimum
    self.maximum = maximum
    self.sum = sum
    self.squares = CompensatedSum(squares)
  }

  /// The moments of numbers that are all finite.
  init(of values: [Double]) {
    for value in values {
      minimum = min(minimum, value)
      maximum = max(maximum, value)
      sum.add(value)
    }
    count = values.count
    let mean = mean
    for value in values { squares.add((value - mean) * (value - mean)) }
  }

  /// The mean; NaN if there are no numbers.
  public var mean: Double { sum.value / Double(count) * unit }

  /// The standard deviation of the numbers as a population; NaN if there are none.
  public var deviation: Double { (squares.value / Double(count)).squareRoot() * unit }

  /// The root of the sum of squares.
  public var norm: Double {
    if count == 0 { return 0 }
    let mean = sum.value / Double(count)
    return (squares.value + Double(count) * mean * mean).squareRoot() * unit
  }

  /// The largest absolute value, 0 if there are no numbers.
  public var magnitude: Double { count == 0 ? 0 : max(-minimum, maximum) }

  /// Adds the numbers of another one.
  public mutating func merge(_ other: Moments) {
    guard other.count > 0 else { return }
    guard count > 0 else {
      self = other
      return
    }
    let distance = other.mean - mean
    let (here, there) = (Double(count), Double(other.count))
    squares.add(other.squares)
    squares.add(distance * distance * (here * there / (here + there)))
    sum.add(other.sum)
    count += other.count
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
  }

  /// The moments of numbers that were divided by `unit` before they were added up.
  ///
  /// - Parameter extremes: those of the numbers as they were.
  func times(_ unit: Double, extremes: Moments) -> Moments {
    var result = self
    result.unit = unit
    result.minimum = extremes.minimum
    result.maximum = extremes.maximum
    return result
  }
}
