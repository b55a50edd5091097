#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Vectors of positions that are computed: the sines of a position's angles, then their cosines.
///
/// Vaswani et al., arXiv 1706.03762, §3.5, as the code of tensor2tensor has them: sines and cosines are not
/// mixed, and the frequencies fall from 1 to 1/10000, both included. Of an odd width the last number is 0.
public struct Sinusoids: Sendable, Equatable {
  /// How many numbers a vector has.
  public let width: Int
  /// The position whose vector is zero, if there is one.
  public let zero: Int?

  /// - Precondition: `width` is at least 4; of fewer numbers the last frequency is not defined.
  public init(width: Int, zero: Int? = nil) {
    precondition(width >= 4)
    self.width = width
    self.zero = zero
  }

  /// The numbers at positions, computed in double precision whatever the result's type is.
  ///
  /// - Parameter positions: `[batch, length]`
  /// - Returns: `[batch, length, width]`
  public func callAsFunction<Scalar: ComputeScalar>(
    _ positions: NDArray<Int>, of _: Scalar.Type
  ) -> NDArray<Scalar> {
    let frequencies = frequencies
    // Most rows of a batch have the same.
    var vectors: [Int: [Scalar]] = [:]
    for position in positions.elements where vectors[position] == nil {
      vectors[position] = vector(at: position, frequencies).map { Scalar($0) }
    }
    return NDArray(
      shape: positions.shape + [width],
      elements: positions.elements.flatMap { vectors[$0] ?? [] })
  }

  /// One of the numbers at a position.
  public func number(_ index: Int, at position: Int) -> Double {
    let count = width / 2
    guard position != zero, index < 2 * count else { return 0 }
    let angle = Double(position) * frequency(index % count)
    return index < count ? sin(angle) : cos(angle)
  }

  private func frequency(_ index: Int) -> Double {
    exp(-log(10000) * Double(index) / Double(width / 2 - 1))
  }

  private var frequencies: [Double] { (0..<width / 2).map(frequency) }

  private func vector(at position: Int, _ frequencies: [Double]) -> [Double] {
    if position == zero { return Array(repeating: 0, count: width) }
    let angles = frequencies.map { Double(position) * $0 }
    return angles.map { sin($0) } + angles.map { cos($0) } + (width.isMultiple(of: 2) ? [] : [0])
  }
}
