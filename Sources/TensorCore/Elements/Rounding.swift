extension DType {
  /// The bits of `value` in this type, rounded to nearest, ties to even, in one step.
  ///
  /// IEEE 754 §4.3.1. Too large becomes infinity; NaN becomes the quiet NaN of that sign.
  ///
  /// - Precondition: `isComputable`.
  public func roundedBits(of value: Double) -> UInt64 {
    switch self {
    case .f64: value.bitPattern
    case .f32: UInt64(Float(value).bitPattern)
    case .f16: rounded(value, exponentBits: 5, mantissaBits: 10)
    case .bf16: rounded(value, exponentBits: 8, mantissaBits: 7)
    default: preconditionFailure("no arithmetic type")
    }
  }
}

private func rounded(_ value: Double, exponentBits: Int, mantissaBits: Int) -> UInt64 {
  let sign: UInt64 = value.sign == .minus ? 1 << (exponentBits + mantissaBits) : 0
  let infinity: UInt64 = (1 << exponentBits - 1) << mantissaBits
  if value.isNaN { return sign | infinity | 1 << (mantissaBits - 1) }
  if value.isInfinite { return sign | infinity }
  if value == 0 { return sign }
  let bias = 1 << (exponentBits - 1) - 1
  let exponent = max(Int(value.exponent), 1 - bias)
  // In units of the last place; scaling by a power of two is exact.
  let unit = Double(sign: .plus, exponent: mantissaBits - exponent, significand: 1)
  let units = UInt64((value.magnitude * unit).rounded(.toNearestOrEven))
  // A carry into the next exponent, and from subnormal to normal, comes out right by itself.
  let isNormal = value.exponent >= 1 - bias
  let bits = isNormal ? UInt64(exponent + bias - 1) << mantissaBits + units : units
  return sign | min(bits, infinity)
}
