import TensorCore

/// The units that a stream is cut into, and which of their bits are the exponent.
struct TFZUnit: Hashable {
  /// Bytes of a unit: 1, 2, 4 or 8. As many planes are made of it.
  let width: Int
  /// Bits of the exponent, which stand below the sign; 0 if the unit is no floating-point number.
  let exponentBits: Int

  /// Bytes that nothing is known about.
  static let byte = TFZUnit(width: 1, exponentBits: 0)

  private static let known: Set<TFZUnit> = [
    byte, TFZUnit(width: 2, exponentBits: 0), TFZUnit(width: 2, exponentBits: 5),
    TFZUnit(width: 2, exponentBits: 8), TFZUnit(width: 4, exponentBits: 0),
    TFZUnit(width: 4, exponentBits: 8), TFZUnit(width: 8, exponentBits: 0),
    TFZUnit(width: 8, exponentBits: 11),
  ]

  /// Whether the format has such units.
  var isKnown: Bool { Self.known.contains(self) }
}

extension DType {
  /// How tensors of this type are cut into units.
  var tfzUnit: TFZUnit {
    switch self {
    case .f16: TFZUnit(width: 2, exponentBits: 5)
    case .bf16: TFZUnit(width: 2, exponentBits: 8)
    case .f32, .c64: TFZUnit(width: 4, exponentBits: 8)
    case .f64, .c128: TFZUnit(width: 8, exponentBits: 11)
    case .i16, .u16: TFZUnit(width: 2, exponentBits: 0)
    case .i32, .u32: TFZUnit(width: 4, exponentBits: 0)
    case .i64, .u64: TFZUnit(width: 8, exponentBits: 0)
    default: .byte
    }
  }
}

// MARK: Planes

/// The bits of a unit: the exponent moves up by one, and the sign below it.
private struct Fields<Bits: FixedWidthInteger & UnsignedInteger> {
  let exponent: Bits
  let sign: Bits
  let rest: Bits
  let distance: Bits

  init(_ exponentBits: Int) {
    let isFloat = exponentBits > 0
    let top = Bits(1) << (Bits.bitWidth - 1)
    let restBits = Bits.bitWidth - 1 - exponentBits
    sign = isFloat ? top : 0
    rest = isFloat ? (Bits(1) << restBits) - 1 : .max
    exponent = ~(sign | rest)
    distance = Bits(exponentBits)
  }

  @inline(__always) func moved(_ unit: Bits) -> Bits {
    (unit & exponent) &<< 1 | (unit & sign) &>> distance | unit & rest
  }

  @inline(__always) func restored(_ unit: Bits) -> Bits {
    (unit &>> 1) & exponent | (unit &<< distance) & sign | unit & rest
  }
}

extension TFZUnit {
  /// Cuts `count` units into planes, the most significant first, one after the other in `planes`.
  ///
  /// - Precondition: both buffers have at least `count * width` bytes, and `width` is not 1.
  @unsafe func split(
    _ units: UnsafeRawPointer, count: Int, into planes: UnsafeMutablePointer<UInt8>
  ) {
    switch width {
    case 2:
      let fields = Fields<UInt16>(exponentBits)
      let (high, low) = unsafe (planes, planes + count)
      for index in 0..<count {
        let unit = unsafe units.loadUnaligned(fromByteOffset: 2 &* index, as: UInt16.self)
        let moved = fields.moved(UInt16(littleEndian: unit))
        unsafe high[index] = UInt8(truncatingIfNeeded: moved &>> 8)
        unsafe low[index] = UInt8(truncatingIfNeeded: moved)
      }
    case 4:
      let fields = Fields<UInt32>(exponentBits)
      let (a, b) = unsafe (planes, planes + count)
      let (c, d) = unsafe (planes + 2 * count, planes + 3 * count)
      for index in 0..<count {
        let unit = unsafe units.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self)
        let moved = fields.moved(UInt32(littleEndian: unit))
        unsafe a[index] = UInt8(truncatingIfNeeded: moved &>> 24)
        unsafe b[index] = UInt8(truncatingIfNeeded: moved &>> 16)
        unsafe c[index] = UInt8(truncatingIfNeeded: moved &>> 8)
        unsafe d[index] = UInt8(truncatingIfNeeded: moved)
      }
    default:
      let fields = Fields<UInt64>(exponentBits)
      for index in 0..<count {
        let unit = unsafe units.loadUnaligned(fromByteOffset: 8 &* index, as: UInt64.self)
        let moved = fields.moved(UInt64(littleEndian: unit))
        for plane in 0..<8 {
          unsafe planes[plane &* count &+ index] = UInt8(
            truncatingIfNeeded: moved &>> UInt64(56 &- 8 &* plane))
        }
      }
    }
  }

  /// Makes `count` units of their planes, the most significant first.
  ///
  /// - Precondition: each plane has `count` bytes, `units` has `count * width`, `width` is not 1.
  @unsafe func merge(
    _ planes: [UnsafePointer<UInt8>], count: Int, into units: UnsafeMutableRawPointer
  ) {
    switch width {
    case 2:
      let fields = Fields<UInt16>(exponentBits)
      let (high, low) = unsafe (planes[0], planes[1])
      for index in 0..<count {
        let moved = unsafe UInt16(high[index]) &<< 8 | UInt16(low[index])
        unsafe units.storeBytes(
          of: fields.restored(moved).littleEndian, toByteOffset: 2 &* index, as: UInt16.self)
      }
    case 4:
      let fields = Fields<UInt32>(exponentBits)
      let (a, b, c, d) = unsafe (planes[0], planes[1], planes[2], planes[3])
      for index in 0..<count {
        let upper = unsafe UInt32(a[index]) &<< 24 | UInt32(b[index]) &<< 16
        let lower = unsafe UInt32(c[index]) &<< 8 | UInt32(d[index])
        unsafe units.storeBytes(
          of: fields.restored(upper | lower).littleEndian, toByteOffset: 4 &* index,
          as: UInt32.self)
      }
    default:
      let fields = Fields<UInt64>(exponentBits)
      let (a, b, c, d) = unsafe (planes[0], planes[1], planes[2], planes[3])
      let (e, f, g, h) = unsafe (planes[4], planes[5], planes[6], planes[7])
      for index in 0..<count {
        let first = unsafe UInt64(a[index]) &<< 56 | UInt64(b[index]) &<< 48
        let second = unsafe UInt64(c[index]) &<< 40 | UInt64(d[index]) &<< 32
        let third = unsafe UInt64(e[index]) &<< 24 | UInt64(f[index]) &<< 16
        let fourth = unsafe UInt64(g[index]) &<< 8 | UInt64(h[index])
        unsafe units.storeBytes(
          of: fields.restored(first | second | third | fourth).littleEndian,
          toByteOffset: 8 &* index, as: UInt64.self)
      }
    }
  }
}
