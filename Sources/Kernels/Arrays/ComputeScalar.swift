internal import CBLAS
internal import CVector

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A type that the forward pass can compute in: `Float` (on OpenBLAS) or `Double` (ground truth).
///
/// The kernels are generic over it and specialised for both, so one source serves both.
public protocol ComputeScalar: BinaryFloatingPoint, SIMDScalar, Codable, Sendable {
  /// `C = A·B` or `A·Bᵀ` for row-major matrices, `C` `[rows, columns]`, on the calling thread alone.
  ///
  /// - Parameters:
  ///   - a: `[rows, inner]`, rows `strideA` elements apart.
  ///   - b: `[inner, columns]`, or `[columns, inner]` if `transposeB`, rows `strideB` apart.
  ///   - c: `[rows, columns]`, rows `strideC` apart.
  ///   - accumulates: whether the product is added to `c`; if not, `c` is overwritten.
  @unsafe static func product(
    rows: Int, columns: Int, inner: Int, a: UnsafePointer<Self>, strideA: Int,
    b: UnsafePointer<Self>, strideB: Int, transposeB: Bool,
    c: UnsafeMutablePointer<Self>, strideC: Int, accumulates: Bool)

  /// eˣ
  static func exp(_ x: Self) -> Self
  /// ln(1 + x)
  static func log1p(_ x: Self) -> Self
  /// The hyperbolic tangent.
  static func tanh(_ x: Self) -> Self
  /// The error function.
  static func erf(_ x: Self) -> Self

  /// Replaces every number x by e^(x − shift).
  ///
  /// - Returns: the sum of the results.
  @unsafe static func exponentiate(
    _ x: UnsafeMutableBufferPointer<Self>, shift: Self
  ) -> Self
  /// Replaces every number by its hyperbolic tangent.
  @unsafe static func tanh(_ x: UnsafeMutableBufferPointer<Self>)
  /// Replaces every number by its error function.
  @unsafe static func erf(_ x: UnsafeMutableBufferPointer<Self>)

  /// Makes products of queries and keys into scores: replaces every number x by x·scale + bias, or by the
  /// most negative finite number where `hidden` is above 0.
  ///
  /// - Parameters:
  ///   - bias: as many numbers as `x`, or `nil`.
  ///   - hidden: as many numbers as `x`, or `nil`.
  /// - Returns: the largest score, minus infinity if there is none. NaN is not larger than anything.
  @unsafe static func score(
    _ x: UnsafeMutableBufferPointer<Self>, scale: Self, bias: UnsafePointer<Self>?,
    hidden: UnsafePointer<Self>?
  ) -> Self

  /// Sums of rows by a chain of fused steps from zero on, each rounded once:
  /// `y = fma(factorₙ, rowₙ, … fma(factor₁, row₁, 0))`.
  ///
  /// - Parameters:
  ///   - factors: `count` numbers.
  ///   - rows: `count` rows of as many numbers as `y`, `stride` elements apart.
  @unsafe static func combine(
    _ factors: UnsafePointer<Self>, count: Int, rows: UnsafePointer<Self>, stride: Int,
    into y: UnsafeMutableBufferPointer<Self>)
}

/// Up to how many rows a product takes as long as reading the matrix, which OpenBLAS would copy first.
private let fewRows = 4

extension Float: ComputeScalar {
  @unsafe public static func product(
    rows: Int, columns: Int, inner: Int, a: UnsafePointer<Float>, strideA: Int,
    b: UnsafePointer<Float>, strideB: Int, transposeB: Bool,
    c: UnsafeMutablePointer<Float>, strideC: Int, accumulates: Bool
  ) {
    let start = ProductClock.start()
    defer { ProductClock.stop(start) }
    if transposeB && rows <= fewRows {
      unsafe tfkit_multiply(
        b, columns, strideB, inner, a, rows, strideA, c, strideC, accumulates ? 1 : 0)
      return
    }
    // OpenBLAS refuses rows of no elements.
    unsafe tfkit_blas_multiply_single(
      transposeB ? 1 : 0, Int32(rows), Int32(columns), Int32(inner), a, Int32(max(1, strideA)),
      b, Int32(max(1, strideB)), accumulates ? 1 : 0, c, Int32(strideC))
  }

  public static func exp(_ x: Float) -> Float { expf(x) }
  public static func log1p(_ x: Float) -> Float { log1pf(x) }
  public static func tanh(_ x: Float) -> Float { tanhf(x) }
  public static func erf(_ x: Float) -> Float { erff(x) }
}

extension Double: ComputeScalar {
  @unsafe public static func product(
    rows: Int, columns: Int, inner: Int, a: UnsafePointer<Double>, strideA: Int,
    b: UnsafePointer<Double>, strideB: Int, transposeB: Bool,
    c: UnsafeMutablePointer<Double>, strideC: Int, accumulates: Bool
  ) {
    let start = ProductClock.start()
    // OpenBLAS refuses rows of no elements.
    unsafe tfkit_blas_multiply_double(
      transposeB ? 1 : 0, Int32(rows), Int32(columns), Int32(inner), a, Int32(max(1, strideA)),
      b, Int32(max(1, strideB)), accumulates ? 1 : 0, c, Int32(strideC))
    ProductClock.stop(start)
  }

  #if canImport(Glibc)
    public static func exp(_ x: Double) -> Double { Glibc.exp(x) }
    public static func log1p(_ x: Double) -> Double { Glibc.log1p(x) }
    public static func tanh(_ x: Double) -> Double { Glibc.tanh(x) }
    public static func erf(_ x: Double) -> Double { Glibc.erf(x) }
  #else
    public static func exp(_ x: Double) -> Double { Darwin.exp(x) }
    public static func log1p(_ x: Double) -> Double { Darwin.log1p(x) }
    public static func tanh(_ x: Double) -> Double { Darwin.tanh(x) }
    public static func erf(_ x: Double) -> Double { Darwin.erf(x) }
  #endif
}
