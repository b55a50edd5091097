public import Kernels
public import TensorCore

/// What is to be found out about each tensor, beyond what always is.
public struct StatisticsOptions: Sendable {
  /// How many elements of the largest magnitude.
  public var largest: Int
  /// Which quantiles, from 0 to 1.
  public var quantiles: [Double]
  /// How many bars a histogram has; without one, none is made.
  public var bars: Int?

  /// Options.
  public init(largest: Int = 0, quantiles: [Double] = [], bars: Int? = nil) {
    self.largest = largest
    self.quantiles = quantiles
    self.bars = bars
  }

  /// Whether a sketch of the values is needed.
  var needsSketch: Bool { !quantiles.isEmpty || bars != nil }
}

/// The statistics of a tensor. Minimum to norm are those of the finite elements.
public struct TensorStatistics: Sendable {
  /// How many elements are in each of the equal parts of the range from minimum to maximum.
  public struct Histogram: Equatable, Sendable {
    /// Where the first part begins and the last one ends.
    public let range: ClosedRange<Double>
    /// The elements in each part.
    public let counts: [Int]
  }

  /// The name.
  public let name: TensorName
  /// The element type.
  public let dtype: DType
  /// The shape.
  public let shape: [Int]
  /// How many elements there are, finite or not.
  public let count: Int
  /// The smallest, exactly; `nil` if no element is finite, or numbers have no order.
  public let minimum: ElementValue?
  /// The largest.
  public let maximum: ElementValue?
  /// The mean; `nil` if no element is finite.
  public let mean: ElementValue?
  /// The standard deviation as a population; `nil` if no element is finite.
  public let deviation: Double?
  /// The root of the sum of squares of the absolute values.
  public let norm: Double
  /// Zeros of either sign.
  public let zeros: Int
  /// Elements between zero and the smallest normal number of the type.
  public let subnormals: Int
  /// Elements that are not a number.
  public let nan: Int
  /// Infinite elements.
  public let infinite: Int
  /// The elements of the largest magnitude, the largest first.
  public internal(set) var largest: [LargestElements.Entry] = []
  /// The quantiles that were asked for; none if no element is finite.
  public internal(set) var quantiles: [Double] = []
  /// How far quantiles may be from an element of that rank, relative to it.
  public internal(set) var quantileError = 0.0
  /// The histogram, if it was asked for and an element is finite.
  public internal(set) var histogram: Histogram?

  /// How many elements are finite.
  public var finiteCount: Int { count - nan - infinite }
}

extension TensorStatistics {
  init(_ tensor: Tensor, _ real: RealStatistics) {
    let moments = real.moments
    let isEmpty = moments.count == 0
    func exact(_ value: Double) -> ElementValue? {
      isEmpty ? nil : tensor.dtype == .f64 ? .real(value) : .single(Float(value))
    }
    self.init(
      name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, count: tensor.elementCount,
      minimum: exact(moments.minimum), maximum: exact(moments.maximum),
      mean: isEmpty ? nil : .real(moments.mean), deviation: isEmpty ? nil : moments.deviation,
      norm: moments.norm, zeros: real.zeros, subnormals: real.subnormals, nan: real.nan,
      infinite: real.infinite, largest: real.largest.entries)
  }

  init(_ tensor: Tensor, _ integers: IntegerStatistics) {
    let isSigned = [.i8, .i16, .i32, .i64].contains(tensor.dtype)
    func exact(_ value: Int128) -> ElementValue {
      isSigned ? .integer(Int64(value)) : .unsigned(UInt64(value))
    }
    let isEmpty = integers.count == 0
    self.init(
      name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, count: tensor.elementCount,
      minimum: integers.minimum.map(exact), maximum: integers.maximum.map(exact),
      mean: isEmpty ? nil : .real(integers.mean), deviation: isEmpty ? nil : integers.deviation,
      norm: integers.norm, zeros: integers.zeros, subnormals: 0, nan: 0, infinite: 0,
      largest: integers.largest.entries)
  }

  init(_ tensor: Tensor, _ complex: ComplexStatistics) {
    let (x, y) = (complex.real, complex.imaginary)
    let isEmpty = x.count == 0
    func hypotenuse(_ a: Double, _ b: Double) -> Double { (a * a + b * b).squareRoot() }
    self.init(
      name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, count: tensor.elementCount,
      minimum: nil, maximum: nil, mean: isEmpty ? nil : .complex(x.mean, y.mean),
      deviation: isEmpty ? nil : hypotenuse(x.deviation, y.deviation),
      norm: hypotenuse(x.norm, y.norm), zeros: complex.zeros, subnormals: 0, nan: complex.nan,
      infinite: complex.infinite)
  }
}
