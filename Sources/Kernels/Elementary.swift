// Elementary functions of eight numbers at a time. In single precision they are polynomials, exact to
// a few units of the last place; in double precision, the ground truth, the C library's.

extension Float {
  /// eˣ, by 2ⁿ·eʳ with x = n·ln 2 + r and a polynomial of degree 7 for eʳ.
  ///
  /// Moshier: Cephes, `expf`. Below −87.3, where results are subnormal, it is 0.
  @inline(__always)
  public static func exp(_ x: SIMD8<Float>) -> SIMD8<Float> {
    // Adding 1.5·2²³ rounds to an integer, which then stands in the lowest bits.
    let magic = SIMD8<Float>(repeating: 12_582_912)
    let shifted = x * 1.442_695_04 + magic
    let n = shifted - magic
    let r = x - n * 0.693_359_375 - n * -2.121_944_40e-4
    var p = r * 1.987_569_15e-4 + 1.398_199_95e-3
    p = p * r + 8.333_451_91e-3
    p = p * r + 4.166_579_59e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_12e-1
    let fraction = p * r * r + r + 1
    let exponent = unsafe unsafeBitCast(shifted, to: SIMD8<UInt32>.self) &<< 23
    let bits = unsafe unsafeBitCast(fraction, to: SIMD8<UInt32>.self) &+ exponent
    var result = unsafe unsafeBitCast(bits, to: SIMD8<Float>.self)
    result.replace(with: 0, where: x .< -87.3)
    result.replace(with: .infinity, where: x .> 88.3)
    result.replace(with: x, where: x .!= x)
    return result
  }

  /// The hyperbolic tangent, by a rational function of degree 13 and 6 between ±7.9, beyond which it
  /// is ±1.
  ///
  /// The coefficients are Eigen's (`generic_fast_tanh_float`).
  @inline(__always)
  public static func tanh(_ x: SIMD8<Float>) -> SIMD8<Float> {
    let clamped = clamp(x, 7.905_311_1)
    let y = clamped * clamped
    var p = y * -2.760_768_47e-16 + 2.000_187_90e-13
    p = p * y + -8.604_671_52e-11
    p = p * y + 5.122_297_09e-8
    p = p * y + 1.485_722_36e-5
    p = p * y + 6.372_619_29e-4
    p = p * y + 4.893_524_56e-3
    var q = y * 1.198_258_39e-6 + 1.185_347_06e-4
    q = q * y + 2.268_434_63e-3
    q = q * y + 4.893_525_19e-3
    var result = clamped * p / q
    result.replace(with: x, where: x .!= x)
    return result
  }

  /// The error function, by a rational function of degree 13 and 8 between ±4, beyond which it is ±1.
  ///
  /// The coefficients are Eigen's (`generic_fast_erf_float`).
  @inline(__always)
  public static func erf(_ x: SIMD8<Float>) -> SIMD8<Float> {
    let clamped = clamp(x, 4)
    let y = clamped * clamped
    var p = y * -2.726_142_26e-10 + 2.770_681_42e-8
    p = p * y + -2.101_024_02e-6
    p = p * y + -5.692_506_40e-5
    p = p * y + -7.349_906_30e-4
    p = p * y + -2.954_599_81e-3
    p = p * y + -1.609_603_33e-2
    var q = y * -1.456_607_18e-5 + -2.133_740_56e-4
    q = q * y + -1.682_826_98e-3
    q = q * y + -7.373_329_17e-3
    q = q * y + -1.426_473_91e-2
    var result = clamped * p / q
    result.replace(with: x, where: x .!= x)
    return result
  }

  /// The numbers, none further from zero than `bound`.
  @inline(__always)
  private static func clamp(_ x: SIMD8<Float>, _ bound: Float) -> SIMD8<Float> {
    x.replacing(with: bound, where: x .> bound).replacing(with: -bound, where: x .< -bound)
  }
}

extension Double {
  /// eˣ
  @inline(__always)
  public static func exp(_ x: SIMD8<Double>) -> SIMD8<Double> { each(x) { exp($0) } }
  /// The hyperbolic tangent.
  @inline(__always)
  public static func tanh(_ x: SIMD8<Double>) -> SIMD8<Double> { each(x) { tanh($0) } }
  /// The error function.
  @inline(__always)
  public static func erf(_ x: SIMD8<Double>) -> SIMD8<Double> { each(x) { erf($0) } }
}

/// A function of one number, for each of eight.
@inline(__always)
func each<Scalar: ComputeScalar>(
  _ x: SIMD8<Scalar>, _ function: (Scalar) -> Scalar
) -> SIMD8<Scalar> {
  var result = x
  for lane in 0..<8 { result[lane] = function(x[lane]) }
  return result
}

/// Replaces every number by a function of it, eight at a time.
@inline(__always)
func replaceEach<Scalar: ComputeScalar>(
  _ values: UnsafeMutableBufferPointer<Scalar>, _ function: (SIMD8<Scalar>) -> SIMD8<Scalar>
) {
  guard let start = values.baseAddress else { return }
  let raw = UnsafeMutableRawPointer(start)
  let stride = MemoryLayout<Scalar>.stride
  var index = 0
  while index + 8 <= values.count {
    let x = unsafe raw.loadUnaligned(fromByteOffset: index * stride, as: SIMD8<Scalar>.self)
    unsafe raw.storeBytes(of: function(x), toByteOffset: index * stride, as: SIMD8<Scalar>.self)
    index += 8
  }
  guard index < values.count else { return }
  var rest = SIMD8<Scalar>(repeating: 0)
  for lane in 0..<values.count - index { rest[lane] = unsafe values[index + lane] }
  let results = function(rest)
  for lane in 0..<values.count - index { unsafe values[index + lane] = results[lane] }
}
