import TensorCore

/// Elements of a tensor, from all of it, to compare it with others of its shape: as many as it has, of large ones some
/// thousands in stretches.
struct ElementSample {
  /// The elements.
  let values: [Double]
  let mean: Double
  /// The root of the sum of squares of what is left without the mean.
  private let spread: Double

  /// So many are taken, in stretches.
  private static let count = 4096
  private static let stretch = 64

  init(_ tensor: Tensor) throws(CheckpointError) {
    var taken: [Double] = []
    let total = tensor.elementCount
    if total <= Self.count {
      taken = try tensor.doubles(0..<total)
    } else {
      let stretches = Self.count / Self.stretch
      for number in 0..<stretches {
        let start = number * ((total - Self.stretch) / (stretches - 1))
        taken += try tensor.doubles(start..<start + Self.stretch)
      }
    }
    self.init(taken)
  }

  /// Elements that were taken.
  init(_ values: [Double]) {
    self.values = values
    let mean = values.reduce(0, +) / Double(max(1, values.count))
    self.mean = mean
    spread = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }.squareRoot()
  }

  /// The correlation, -1 to 1; 0 where one is constant, or they are not as many.
  func correlation(with other: ElementSample) -> Double {
    guard values.count == other.values.count, spread > 0, other.spread > 0,
      (spread * other.spread).isFinite
    else { return 0 }
    let product = zip(values, other.values).reduce(0) {
      $0 + ($1.0 - mean) * ($1.1 - other.mean)
    }
    return product / (spread * other.spread)
  }

  /// Whether all are the same.
  var isConstant: Bool { !values.isEmpty && spread == 0 }

  /// How many times the other's these are: the least squares' factor.
  func factor(over other: ElementSample) -> Double {
    let (product, square) = zip(values, other.values).reduce((0, 0)) {
      ($0.0 + $1.0 * $1.1, $0.1 + $1.1 * $1.1)
    }
    return square > 0 ? product / square : 0
  }

  /// How much more than the other's these are, and how far single ones are from that: mean and deviation.
  func shift(from other: ElementSample) -> (mean: Double, deviation: Double) {
    let differences = ElementSample(zip(values, other.values).map { $0 - $1 })
    return (
      differences.mean, differences.spread / Double(max(1, values.count)).squareRoot()
    )
  }

  /// Whether a correlation cannot be by chance, and the next best is far from it.
  func isTelling(_ value: Double, next: Double) -> Bool {
    values.count >= 16 && value >= 0.8 && 1 - value <= 0.25 * (1 - next)
      && value * Double(values.count).squareRoot() >= 6 * (1 - value * value).squareRoot()
  }
}
