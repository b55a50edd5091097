internal import CVector

// Elementary functions of many numbers at once. In single precision they are polynomials, exact to a
// few units of the last place; in double precision, the ground truth, the C library's.

extension Float {
  @unsafe public static func exponentiate(
    _ x: UnsafeMutableBufferPointer<Float>, shift: Float
  ) -> Float {
    unsafe tfkit_exp(x.baseAddress, x.count, shift)
  }

  @unsafe public static func tanh(_ x: UnsafeMutableBufferPointer<Float>) {
    unsafe tfkit_tanh(x.baseAddress, x.count)
  }

  @unsafe public static func erf(_ x: UnsafeMutableBufferPointer<Float>) {
    unsafe tfkit_erf(x.baseAddress, x.count)
  }

  @unsafe public static func score(
    _ x: UnsafeMutableBufferPointer<Float>, scale: Float, bias: UnsafePointer<Float>?,
    hidden: UnsafePointer<Float>?
  ) -> Float {
    unsafe tfkit_score(x.baseAddress, x.count, scale, bias, hidden, -greatestFiniteMagnitude)
  }
}

extension Double {
  @unsafe public static func exponentiate(
    _ x: UnsafeMutableBufferPointer<Double>, shift: Double
  ) -> Double {
    unsafe replaceEach(x) { exp($0 - shift) }
    return unsafe laneSum(of: x)
  }

  @unsafe public static func tanh(_ x: UnsafeMutableBufferPointer<Double>) {
    unsafe replaceEach(x) { tanh($0) }
  }

  @unsafe public static func erf(_ x: UnsafeMutableBufferPointer<Double>) {
    unsafe replaceEach(x) { erf($0) }
  }

  @unsafe public static func score(
    _ x: UnsafeMutableBufferPointer<Double>, scale: Double, bias: UnsafePointer<Double>?,
    hidden: UnsafePointer<Double>?
  ) -> Double {
    var largest = -Double.infinity
    for index in x.indices {
      var score = unsafe x[index] * scale
      if let bias = unsafe bias { unsafe score += bias[index] }
      if let hidden = unsafe hidden, unsafe hidden[index] > 0 { score = -greatestFiniteMagnitude }
      unsafe x[index] = score
      if score > largest { largest = score }
    }
    return largest
  }
}

/// Replaces every number by a function of it.
@inline(__always)
func replaceEach<Scalar: ComputeScalar>(
  _ values: UnsafeMutableBufferPointer<Scalar>, _ function: (Scalar) -> Scalar
) {
  for index in values.indices { unsafe values[index] = function(values[index]) }
}
