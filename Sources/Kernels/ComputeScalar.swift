internal import CBLAS

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

  /// eˣ of eight numbers.
  static func exp(_ x: SIMD8<Self>) -> SIMD8<Self>
  /// The hyperbolic tangent of eight numbers.
  static func tanh(_ x: SIMD8<Self>) -> SIMD8<Self>
  /// The error function of eight numbers.
  static func erf(_ x: SIMD8<Self>) -> SIMD8<Self>
}

extension Float: ComputeScalar {
  @unsafe public static func product(
    rows: Int, columns: Int, inner: Int, a: UnsafePointer<Float>, strideA: Int,
    b: UnsafePointer<Float>, strideB: Int, transposeB: Bool,
    c: UnsafeMutablePointer<Float>, strideC: Int, accumulates: Bool
  ) {
    let start = ProductClock.start()
    // OpenBLAS refuses rows of no elements.
    unsafe cblas_sgemm(
      CblasRowMajor, CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      blasint(rows), blasint(columns), blasint(inner), 1, a, blasint(max(1, strideA)),
      b, blasint(max(1, strideB)), accumulates ? 1 : 0, c, blasint(strideC))
    ProductClock.stop(start)
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
    unsafe cblas_dgemm(
      CblasRowMajor, CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      blasint(rows), blasint(columns), blasint(inner), 1, a, blasint(max(1, strideA)),
      b, blasint(max(1, strideB)), accumulates ? 1 : 0, c, blasint(strideC))
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
