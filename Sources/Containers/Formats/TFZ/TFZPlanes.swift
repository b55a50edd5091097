#if !_endian(little)
  #error("units are little-endian, and are taken as numbers of the processor's")
#endif

/// A byte of each of sixteen units. Putting bytes next to each other is what processors have instructions
/// for; and all that happens to a unit's bits happens in its two upper bytes.
private typealias Bytes = SIMD16<UInt8>

extension TFZUnit {
  /// Cuts `count` units into planes, the most significant first, one after the other in `planes`.
  ///
  /// - Precondition: both buffers have at least `count * width` bytes, and `width` is not 1.
  @unsafe func split(
    _ units: UnsafeRawPointer, count: Int, into planes: UnsafeMutablePointer<UInt8>
  ) {
    let places = unsafe (0..<width).map { unsafe planes + $0 * count }
    switch exponentBits {
    case 5: unsafe split(units, count, places, Exponent5.self)
    case 8: unsafe split(units, count, places, Exponent8.self)
    case 11: unsafe split(units, count, places, Exponent11.self)
    default: unsafe split(units, count, places, NoExponent.self)
    }
  }

  /// Makes `count` units of their planes, the most significant first.
  ///
  /// - Precondition: each plane has `count` bytes, `units` has `count * width`, `width` is not 1.
  @unsafe func merge(
    _ planes: [UnsafePointer<UInt8>], count: Int, into units: UnsafeMutableRawPointer
  ) {
    switch exponentBits {
    case 5: unsafe merge(planes, count, units, Exponent5.self)
    case 8: unsafe merge(planes, count, units, Exponent8.self)
    case 11: unsafe merge(planes, count, units, Exponent11.self)
    default: unsafe merge(planes, count, units, NoExponent.self)
    }
  }

  @unsafe @inline(__always) private func split<Upper: UpperBytes>(
    _ units: UnsafeRawPointer, _ count: Int, _ planes: [UnsafeMutablePointer<UInt8>],
    _: Upper.Type
  ) {
    switch width {
    case 2:
      let (a, b) = unsafe (planes[0], planes[1])
      forEachSixteen(count) { start, taken in
        let unit = unsafe load(SIMD16<UInt16>.self, units + 2 * start, 2 * taken)
        let (high, low) = Upper.moved(
          Bytes(truncatingIfNeeded: unit &>> 8), Bytes(truncatingIfNeeded: unit))
        unsafe store(high, a + start, taken)
        unsafe store(low, b + start, taken)
      }
    case 4:
      let (a, b, c, d) = unsafe (planes[0], planes[1], planes[2], planes[3])
      forEachSixteen(count) { start, taken in
        let unit = unsafe load(SIMD16<UInt32>.self, units + 4 * start, 4 * taken)
        let upper = SIMD16<UInt16>(truncatingIfNeeded: unit &>> 16)
        let lower = SIMD16<UInt16>(truncatingIfNeeded: unit)
        let (first, second) = Upper.moved(
          Bytes(truncatingIfNeeded: upper &>> 8), Bytes(truncatingIfNeeded: upper))
        unsafe store(first, a + start, taken)
        unsafe store(second, b + start, taken)
        unsafe store(Bytes(truncatingIfNeeded: lower &>> 8), c + start, taken)
        unsafe store(Bytes(truncatingIfNeeded: lower), d + start, taken)
      }
    default:
      let (a, b, c, d) = unsafe (planes[0], planes[1], planes[2], planes[3])
      let (e, f, g, h) = unsafe (planes[4], planes[5], planes[6], planes[7])
      forEachSixteen(count) { start, taken in
        let unit = unsafe load(SIMD32<UInt32>.self, units + 8 * start, 8 * taken)
        let (low, high) = (pairs(unit.evenHalf), pairs(unit.oddHalf))
        let (first, second) = (bytes(high.oddHalf), bytes(high.evenHalf))
        let (third, fourth) = (bytes(low.oddHalf), bytes(low.evenHalf))
        let (upper, next) = Upper.moved(first.oddHalf, first.evenHalf)
        unsafe store(upper, a + start, taken)
        unsafe store(next, b + start, taken)
        unsafe store(second.oddHalf, c + start, taken)
        unsafe store(second.evenHalf, d + start, taken)
        unsafe store(third.oddHalf, e + start, taken)
        unsafe store(third.evenHalf, f + start, taken)
        unsafe store(fourth.oddHalf, g + start, taken)
        unsafe store(fourth.evenHalf, h + start, taken)
      }
    }
  }

  @unsafe @inline(__always) private func merge<Upper: UpperBytes>(
    _ planes: [UnsafePointer<UInt8>], _ count: Int, _ units: UnsafeMutableRawPointer,
    _: Upper.Type
  ) {
    let (a, b) = unsafe (planes[0], planes[1])
    /// The two upper bytes, as they stand in memory.
    @inline(__always) func upper(_ start: Int, _ taken: Int) -> SIMD32<UInt8> {
      let (high, low) = unsafe Upper.restored(
        load(Bytes.self, a + start, taken), load(Bytes.self, b + start, taken))
      return interleaved(low, high)
    }
    /// Two of the other bytes.
    @inline(__always) func others(
      _ high: UnsafePointer<UInt8>, _ low: UnsafePointer<UInt8>, _ start: Int, _ taken: Int
    ) -> SIMD32<UInt8> {
      unsafe interleaved(
        load(Bytes.self, low + start, taken), load(Bytes.self, high + start, taken))
    }
    switch width {
    case 2:
      forEachSixteen(count) { start, taken in
        unsafe store(upper(start, taken), units + 2 * start, 2 * taken)
      }
    case 4:
      let (c, d) = unsafe (planes[2], planes[3])
      forEachSixteen(count) { start, taken in
        let unit = unsafe interleaved(
          pairs(others(c, d, start, taken)), pairs(upper(start, taken)))
        unsafe store(unit, units + 4 * start, 4 * taken)
      }
    default:
      let (c, d, e) = unsafe (planes[2], planes[3], planes[4])
      let (f, g, h) = unsafe (planes[5], planes[6], planes[7])
      forEachSixteen(count) { start, taken in
        let low = unsafe interleaved(
          pairs(others(g, h, start, taken)), pairs(others(e, f, start, taken)))
        let high = unsafe interleaved(
          pairs(others(c, d, start, taken)), pairs(upper(start, taken)))
        let unit = interleaved(quadruples(low), quadruples(high))
        unsafe store(unit, units + 8 * start, 8 * taken)
      }
    }
  }
}

// MARK: Sixteen at once

/// Calls `body` with starts of sixteen units, and how many of them there are: at the end maybe fewer.
@inline(__always) private func forEachSixteen(_ count: Int, _ body: (Int, Int) -> Void) {
  var start = 0
  while start &+ 16 <= count {
    body(start, 16)
    start &+= 16
  }
  if start < count { body(start, count - start) }
}

/// The first `count` bytes at a place, and zeros behind them.
@unsafe @inline(__always) private func load<Vector: SIMD & BitwiseCopyable>(
  _: Vector.Type, _ place: UnsafeRawPointer, _ count: Int
) -> Vector {
  if count == MemoryLayout<Vector>.size { return unsafe place.loadUnaligned(as: Vector.self) }
  var vector = Vector()
  unsafe withUnsafeMutableBytes(of: &vector) { target in
    unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: place, count: count))
  }
  return vector
}

/// Writes the first `count` bytes of a vector.
@unsafe @inline(__always) private func store<Vector: SIMD & BitwiseCopyable>(
  _ vector: Vector, _ place: UnsafeMutableRawPointer, _ count: Int
) {
  if count == MemoryLayout<Vector>.size {
    return unsafe place.storeBytes(of: vector, as: Vector.self)
  }
  unsafe withUnsafeBytes(of: vector) { source in
    guard let start = source.baseAddress else { return }
    unsafe place.copyMemory(from: start, byteCount: count)
  }
}

@inline(__always) private func interleaved(_ even: Bytes, _ odd: Bytes) -> SIMD32<UInt8> {
  var result = SIMD32<UInt8>()
  result.evenHalf = even
  result.oddHalf = odd
  return result
}

@inline(__always) private func interleaved(
  _ even: SIMD16<UInt16>, _ odd: SIMD16<UInt16>
) -> SIMD32<UInt16> {
  var result = SIMD32<UInt16>()
  result.evenHalf = even
  result.oddHalf = odd
  return result
}

@inline(__always) private func interleaved(
  _ even: SIMD16<UInt32>, _ odd: SIMD16<UInt32>
) -> SIMD32<UInt32> {
  var result = SIMD32<UInt32>()
  result.evenHalf = even
  result.oddHalf = odd
  return result
}

// The same bytes, taken two and two together or apart. Their places in memory stay.

@inline(__always) private func bytes(_ units: SIMD16<UInt16>) -> SIMD32<UInt8> {
  unsafe unsafeBitCast(units, to: SIMD32<UInt8>.self)
}

@inline(__always) private func pairs(_ units: SIMD32<UInt8>) -> SIMD16<UInt16> {
  unsafe unsafeBitCast(units, to: SIMD16<UInt16>.self)
}

@inline(__always) private func pairs(_ units: SIMD16<UInt32>) -> SIMD32<UInt16> {
  unsafe unsafeBitCast(units, to: SIMD32<UInt16>.self)
}

@inline(__always) private func quadruples(_ units: SIMD32<UInt16>) -> SIMD16<UInt32> {
  unsafe unsafeBitCast(units, to: SIMD16<UInt32>.self)
}

// MARK: Sign and exponent

/// What becomes of the two upper bytes of units when the exponent moves up by one, and the sign below it.
private protocol UpperBytes {
  /// The two upper bytes of units, so rearranged.
  static func moved(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes)
  /// The way back.
  static func restored(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes)
}

/// Integers: nothing.
private enum NoExponent: UpperBytes {
  @inline(__always) static func moved(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes) {
    (high, low)
  }

  @inline(__always) static func restored(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes) {
    (high, low)
  }
}

/// F16: `seeeeemm` and `eeeeesmm`.
private enum Exponent5: UpperBytes {
  @inline(__always) static func moved(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes) {
    ((high &<< 1) & 0xF8 | (high &>> 5) & 0x04 | high & 0x03, low)
  }

  @inline(__always) static func restored(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes) {
    ((high &>> 1) & 0x7C | (high &<< 5) & 0x80 | high & 0x03, low)
  }
}

/// BF16 and F32: `seeeeeee emmmmmmm` and `eeeeeeee smmmmmmm`.
private enum Exponent8: UpperBytes {
  @inline(__always) static func moved(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes) {
    (high &<< 1 | low &>> 7, high & 0x80 | low & 0x7F)
  }

  @inline(__always) static func restored(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes) {
    (high &>> 1 | low & 0x80, high &<< 7 | low & 0x7F)
  }
}

/// F64: `seeeeeee eeeemmmm` and `eeeeeeee eeesmmmm`.
private enum Exponent11: UpperBytes {
  @inline(__always) static func moved(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes) {
    (high &<< 1 | low &>> 7, (low &<< 1) & 0xE0 | (high &>> 3) & 0x10 | low & 0x0F)
  }

  @inline(__always) static func restored(_ high: Bytes, _ low: Bytes) -> (high: Bytes, low: Bytes) {
    (high &>> 1 | (low &<< 3) & 0x80, high &<< 7 | (low &>> 1) & 0x70 | low & 0x0F)
  }
}
