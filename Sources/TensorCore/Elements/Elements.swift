/// The value of one element, exactly.
public enum ElementValue: Equatable, Sendable {
  case bool(UInt8)
  case integer(Int64)
  case unsigned(UInt64)
  case single(Float)
  case real(Double)
  case complex(Double, Double)

  /// The value, if it is a whole number that fits `Int`.
  public var int: Int? {
    switch self {
    case .bool(let value): Int(value)
    case .integer(let value): Int(exactly: value)
    case .unsigned(let value): Int(exactly: value)
    default: nil
    }
  }
}

extension DType {
  /// The element of this type that `bytes` (little-endian) hold from element `index` on.
  ///
  /// Half and quarter precision come back as the `Float` of the same value.
  public func element(at index: Int, of bytes: [UInt8]) -> ElementValue {
    func load<Integer: FixedWidthInteger & BitwiseCopyable>(_: Integer.Type, _ position: Int)
      -> Integer
    {
      loadLittleEndian(Integer.self, from: bytes, at: position * (Integer.bitWidth / 8))
    }
    switch self {
    case .bool: return .bool(bytes[index])
    case .u8: return .unsigned(UInt64(bytes[index]))
    case .i8: return .integer(Int64(Int8(bitPattern: bytes[index])))
    case .i16: return .integer(Int64(load(Int16.self, index)))
    case .u16: return .unsigned(UInt64(load(UInt16.self, index)))
    case .i32: return .integer(Int64(load(Int32.self, index)))
    case .u32: return .unsigned(UInt64(load(UInt32.self, index)))
    case .i64: return .integer(load(Int64.self, index))
    case .u64: return .unsigned(load(UInt64.self, index))
    case .f32: return .single(Float(bitPattern: load(UInt32.self, index)))
    case .f64: return .real(Double(bitPattern: load(UInt64.self, index)))
    case .bf16: return .single(Float(bitPattern: UInt32(load(UInt16.self, index)) << 16))
    case .f16: return .single(widenedHalf(load(UInt16.self, index)))
    case .c64:
      return .complex(
        Double(Float(bitPattern: load(UInt32.self, 2 * index))),
        Double(Float(bitPattern: load(UInt32.self, 2 * index + 1))))
    case .c128:
      return .complex(
        Double(bitPattern: load(UInt64.self, 2 * index)),
        Double(bitPattern: load(UInt64.self, 2 * index + 1)))
    case .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz:
      return .single(smallFloat.value(of: bytes[index]))
    case .f4, .f6e2m3, .f6e3m2:
      return .single(smallFloat.value(of: packedCode(at: index, of: bytes)))
    default: return .single(blockNumber(at: index, of: bytes))
    }
  }

  /// The bits of packed element `index`, least significant first.
  private func packedCode(at index: Int, of bytes: [UInt8]) -> UInt8 {
    let bit = index * bitWidth
    let low = UInt16(bytes[bit / 8])
    let high = bit / 8 + 1 < bytes.count ? UInt16(bytes[bit / 8 + 1]) : 0
    return UInt8(truncatingIfNeeded: (high << 8 | low) >> (bit % 8)) & (1 << bitWidth - 1)
  }

  /// How the bits of a float of at most eight bits are read.
  private var smallFloat: SmallFloat {
    switch self {
    case .f4: SmallFloat(exponentBits: 2, mantissaBits: 1, bias: 1, special: .none)
    case .f6e2m3: SmallFloat(exponentBits: 2, mantissaBits: 3, bias: 1, special: .none)
    case .f6e3m2: SmallFloat(exponentBits: 3, mantissaBits: 2, bias: 3, special: .none)
    case .f8e5m2: SmallFloat(exponentBits: 5, mantissaBits: 2, bias: 15, special: .ieee)
    case .f8e4m3: SmallFloat(exponentBits: 4, mantissaBits: 3, bias: 7, special: .allOnes)
    case .f8e4m3fnuz: SmallFloat(exponentBits: 4, mantissaBits: 3, bias: 8, special: .negativeZero)
    case .f8e5m2fnuz: SmallFloat(exponentBits: 5, mantissaBits: 2, bias: 16, special: .negativeZero)
    default: SmallFloat(exponentBits: 8, mantissaBits: 0, bias: 127, special: .scale)
    }
  }
}

/// A float of at most eight bits.
///
/// Sources: OCP "8-bit Floating Point Specification" 1.0 (E4M3, E5M2), OCP "Microscaling Formats"
/// 1.0 (E8M0, FP6, FP4), and arXiv 2206.02915 (the FNUZ variants).
private struct SmallFloat {
  /// Which codes are no finite numbers.
  enum Special {
    /// None.
    case none
    /// The largest exponent, as in IEEE 754: infinity and NaN.
    case ieee
    /// All exponent and mantissa bits one: NaN; no infinity.
    case allOnes
    /// What would be −0: NaN; no infinity.
    case negativeZero
    /// No sign, no mantissa: a power of two; all ones are NaN.
    case scale
  }

  let exponentBits: Int
  let mantissaBits: Int
  let bias: Int
  let special: Special

  func value(of code: UInt8) -> Float {
    if special == .scale { return code == 0xFF ? .nan : power(Int(code) - bias) }
    let sign: Float = code >> (exponentBits + mantissaBits) & 1 == 1 ? -1 : 1
    let exponent = Int(code >> mantissaBits) & (1 << exponentBits - 1)
    let mantissa = Int(code) & (1 << mantissaBits - 1)
    let top = 1 << exponentBits - 1
    switch special {
    case .ieee where exponent == top: return mantissa == 0 ? sign * .infinity : .nan
    case .allOnes where exponent == top && mantissa == 1 << mantissaBits - 1: return .nan
    case .negativeZero where sign < 0 && exponent == 0 && mantissa == 0: return .nan
    default: break
    }
    let fraction = Float(mantissa) / Float(1 << mantissaBits)
    return exponent == 0
      ? sign * fraction * power(1 - bias) : sign * (1 + fraction) * power(exponent - bias)
  }

  /// 2^exponent, also where it is subnormal.
  private func power(_ exponent: Int) -> Float {
    Float(sign: .plus, exponent: exponent, significand: 1)
  }
}

/// The little-endian integer at byte `position`.
func loadLittleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
  _: Integer.Type, from bytes: [UInt8], at position: Int
) -> Integer {
  let span = unsafe bytes.span.bytes
  precondition(position >= 0 && position <= bytes.count - Integer.bitWidth / 8)
  return Integer(
    littleEndian: unsafe span.unsafeLoadUnaligned(fromByteOffset: position, as: Integer.self))
}

/// The `Float` of the same value as a half-precision number, computed on its bits.
///
/// IEEE 754 binary16. The hardware conversion is absent on baseline x86-64.
public func widenedHalf(_ half: UInt16) -> Float {
  let sign = UInt32(half & 0x8000) << 16
  let exponent = UInt32(half >> 10) & 0x1F
  let mantissa = UInt32(half & 0x3FF)
  if exponent == 0x1F { return Float(bitPattern: sign | 0x7F80_0000 | mantissa << 13) }
  if exponent == 0 {
    // Subnormal: mantissa · 2^−24 is exact.
    let magnitude = Float(mantissa) * 0x1p-24
    return sign == 0 ? magnitude : -magnitude
  }
  return Float(bitPattern: sign | (exponent + 112) << 23 | mantissa << 13)
}

extension ElementValue {
  /// The value as a double, rounded if it has more digits; `nil` if it is complex.
  public var number: Double? {
    switch self {
    case .bool(let value): Double(value)
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .single(let value): Double(value)
    case .real(let value): value
    case .complex: nil
    }
  }
}
