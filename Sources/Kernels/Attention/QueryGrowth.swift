#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Queries are multiplied by 1 + β·ln(1 + ⌊p / n⌋) at position p, so that attention stays as sharp in long
/// texts. After Nakanishi, arXiv 2501.19399, §3, in steps.
public struct QueryGrowth: Sendable, Equatable {
  /// β.
  public var beta: Double
  /// n, the number of positions for which the factor is the same.
  public var step: Int

  /// Describes growth.
  ///
  /// - Precondition: `step` is above 0.
  public init(beta: Double, step: Int) {
    precondition(step > 0, "a step has no positions")
    (self.beta, self.step) = (beta, step)
  }

  /// The factors of positions: `[batch, length]` to `[batch, length, 1]`.
  public func factors<Scalar: ComputeScalar>(
    at positions: NDArray<Int>, of: Scalar.Type
  ) -> NDArray<Scalar> {
    NDArray(
      shape: positions.shape + [1],
      elements: positions.elements.map { Scalar(1 + beta * log1p(Double($0 / step))) })
  }
}
