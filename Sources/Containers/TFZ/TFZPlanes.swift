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

extension Fields<UInt32> {
  @inline(__always) func moved(_ units: SIMD16<UInt32>) -> SIMD16<UInt32> {
    (units & exponent) &<< 1 | (units & sign) &>> distance | units & rest
  }

  @inline(__always) func restored(_ units: SIMD16<UInt32>) -> SIMD16<UInt32> {
    (units &>> 1) & exponent | (units &<< distance) & sign | units & rest
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
    case 4: unsafe split4(units, count: count, into: planes)
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
    case 4: unsafe merge4(planes, count: count, into: units)
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

// MARK: Units of four bytes

/// Sixteen units at once: putting bytes next to each other is what processors have instructions for,
/// and twice as fast as shifting them into place one by one.
extension TFZUnit {
  @unsafe private func split4(
    _ units: UnsafeRawPointer, count: Int, into planes: UnsafeMutablePointer<UInt8>
  ) {
    let fields = Fields<UInt32>(exponentBits)
    let (a, b) = unsafe (planes, planes + count)
    let (c, d) = unsafe (planes + 2 * count, planes + 3 * count)
    var index = 0
    #if _endian(little)
      while index &+ 16 <= count {
        let unit = unsafe units.loadUnaligned(
          fromByteOffset: 4 &* index, as: SIMD16<UInt32>.self)
        let halves = unsafe unsafeBitCast(fields.moved(unit), to: SIMD32<UInt16>.self)
        let low = unsafe unsafeBitCast(halves.evenHalf, to: SIMD32<UInt8>.self)
        let high = unsafe unsafeBitCast(halves.oddHalf, to: SIMD32<UInt8>.self)
        unsafe UnsafeMutableRawPointer(a + index).storeBytes(
          of: high.oddHalf, as: SIMD16<UInt8>.self)
        unsafe UnsafeMutableRawPointer(b + index).storeBytes(
          of: high.evenHalf, as: SIMD16<UInt8>.self)
        unsafe UnsafeMutableRawPointer(c + index).storeBytes(
          of: low.oddHalf, as: SIMD16<UInt8>.self)
        unsafe UnsafeMutableRawPointer(d + index).storeBytes(
          of: low.evenHalf, as: SIMD16<UInt8>.self)
        index &+= 16
      }
    #endif
    for index in index..<count {
      let unit = unsafe units.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self)
      let moved = fields.moved(UInt32(littleEndian: unit))
      unsafe a[index] = UInt8(truncatingIfNeeded: moved &>> 24)
      unsafe b[index] = UInt8(truncatingIfNeeded: moved &>> 16)
      unsafe c[index] = UInt8(truncatingIfNeeded: moved &>> 8)
      unsafe d[index] = UInt8(truncatingIfNeeded: moved)
    }
  }

  @unsafe private func merge4(
    _ planes: [UnsafePointer<UInt8>], count: Int, into units: UnsafeMutableRawPointer
  ) {
    let fields = Fields<UInt32>(exponentBits)
    let (a, b, c, d) = unsafe (planes[0], planes[1], planes[2], planes[3])
    var index = 0
    #if _endian(little)
      while index &+ 16 <= count {
        let low = unsafe interleaved(d + index, c + index)
        let high = unsafe interleaved(b + index, a + index)
        var halves = SIMD32<UInt16>()
        halves.evenHalf = low
        halves.oddHalf = high
        let moved = unsafe unsafeBitCast(halves, to: SIMD16<UInt32>.self)
        unsafe units.storeBytes(
          of: fields.restored(moved), toByteOffset: 4 &* index, as: SIMD16<UInt32>.self)
        index &+= 16
      }
    #endif
    for index in index..<count {
      let upper = unsafe UInt32(a[index]) &<< 24 | UInt32(b[index]) &<< 16
      let lower = unsafe UInt32(c[index]) &<< 8 | UInt32(d[index])
      unsafe units.storeBytes(
        of: fields.restored(upper | lower).littleEndian, toByteOffset: 4 &* index, as: UInt32.self)
    }
  }
}

/// Sixteen numbers of two bytes: one of each of two planes, the low byte first.
@unsafe @inline(__always) private func interleaved(
  _ low: UnsafePointer<UInt8>, _ high: UnsafePointer<UInt8>
) -> SIMD16<UInt16> {
  var bytes = SIMD32<UInt8>()
  bytes.evenHalf = unsafe UnsafeRawPointer(low).loadUnaligned(as: SIMD16<UInt8>.self)
  bytes.oddHalf = unsafe UnsafeRawPointer(high).loadUnaligned(as: SIMD16<UInt8>.self)
  return unsafe unsafeBitCast(bytes, to: SIMD16<UInt16>.self)
}
