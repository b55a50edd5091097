public import TensorCore

/// Statistics of complex numbers. A number is finite if both of its parts are.
public struct ComplexStatistics: Equatable, Sendable {
  /// Of the real parts of the finite numbers.
  public private(set) var real = Moments()
  /// Of their imaginary parts.
  public private(set) var imaginary = Moments()
  /// Numbers of which both parts are zero.
  public private(set) var zeros = 0
  /// Numbers of which a part is not a number.
  public private(set) var nan = 0
  /// Numbers of which a part is infinite, and none is NaN.
  public private(set) var infinite = 0

  /// None yet.
  public init() {}

  /// Adds the numbers that `bytes` hold, real and imaginary parts in turn.
  ///
  /// - Parameter dtype: a complex type.
  public mutating func add(_ bytes: RawSpan, _ dtype: DType) {
    let isDouble = dtype == .c128
    let width = isDouble ? 8 : 4
    func part(_ index: Int) -> Double {
      isDouble
        ? unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index * width, as: Double.self)
        : Double(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index * width, as: Float.self))
    }
    let count = bytes.byteCount / (2 * width)
    for start in stride(from: 0, to: count, by: Run.length) {
      var (reals, imaginaries): ([Double], [Double]) = ([], [])
      for index in start..<min(start + Run.length, count) {
        let (x, y) = (part(2 * index), part(2 * index + 1))
        if x == 0 && y == 0 { zeros += 1 }
        if x.isFinite && y.isFinite {
          reals.append(x)
          imaginaries.append(y)
        } else if x.isNaN || y.isNaN {
          nan += 1
        } else {
          infinite += 1
        }
      }
      real.merge(Moments(of: reals))
      imaginary.merge(Moments(of: imaginaries))
    }
  }

  /// Adds the numbers of another one.
  public mutating func merge(_ other: ComplexStatistics) {
    real.merge(other.real)
    imaginary.merge(other.imaginary)
    zeros += other.zeros
    nan += other.nan
    infinite += other.infinite
  }
}
