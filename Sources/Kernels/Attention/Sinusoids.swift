#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Vectors of positions that are computed: the sines of a position's angles, then their cosines.
///
/// Vaswani et al., arXiv 1706.03762, §3.5, as the code of tensor2tensor has them: sines and cosines are not
/// mixed. Of an odd width the last number is 0 where both ends of the frequencies are included; otherwise there is
/// one more sine.
public struct Sinusoids: Sendable, Equatable {
  /// How frequencies fall.
  public enum Spacing: Sendable, Equatable {
    /// From 1 to 1/10000, both included.
    case closed
    /// From 1 on, by as much for each pair that one more would have 1/10000: the paper's own.
    case open
  }

  /// How many numbers a vector has.
  public let width: Int
  /// The position whose vector is zero, if there is one.
  public let zero: Int?

  /// How frequencies fall.
  public let spacing: Spacing

  /// - Precondition: with both ends included `width` is at least 4; of fewer numbers the last frequency is not defined.
  public init(width: Int, zero: Int? = nil, spacing: Spacing = .closed) {
    precondition(spacing == .open || width >= 4)
    self.width = width
    self.zero = zero
    self.spacing = spacing
  }

  /// The numbers at positions, computed in double precision whatever the result's type is.
  ///
  /// - Parameter positions: `[batch, length]`
  /// - Returns: `[batch, length, width]`
  public func callAsFunction<Scalar: ComputeScalar>(
    _ positions: NDArray<Int>, of _: Scalar.Type
  ) -> NDArray<Scalar> {
    // Most rows of a batch have the same.
    var vectors: [Int: [Scalar]] = [:]
    for position in positions.elements where vectors[position] == nil {
      vectors[position] = vector(at: position).map { Scalar($0) }
    }
    return NDArray(
      shape: positions.shape + [width],
      elements: positions.elements.flatMap { vectors[$0] ?? [] })
  }

  /// One of the numbers at a position.
  public func number(_ index: Int, at position: Int) -> Double {
    guard position != zero, index < sines + width / 2 else { return 0 }
    return index < sines
      ? sin(angle(index, at: position)) : cos(angle(index - sines, at: position))
  }

  /// How many of the numbers are sines.
  private var sines: Int { spacing == .open ? (width + 1) / 2 : width / 2 }

  private func angle(_ index: Int, at position: Int) -> Double {
    switch spacing {
    case .closed:
      Double(position) * exp(-log(10000) * Double(index) / Double(width / 2 - 1))
    case .open: Double(position) / pow(10000, 2 * Double(index) / Double(width))
    }
  }

  private func vector(at position: Int) -> [Double] {
    (0..<width).map { number($0, at: position) }
  }
}
