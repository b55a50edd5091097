// Rounding of whole spans: the same bits as `roundedBits(of:)`, without a branch an element, so that
// the loops become vector instructions.

extension DType {
  /// Rounds numbers to this type, to nearest, ties to even; `roundedBits(of:)` of each.
  ///
  /// - Parameters:
  ///   - values: the numbers.
  ///   - bytes: overwritten with as many little-endian elements.
  /// - Precondition: `isComputable`.
  public func round(_ values: Span<Float>, into bytes: inout MutableRawSpan) {
    precondition(isComputable && bytes.byteCount == byteCount(of: values.count))
    switch self {
    case .bf16: each(values, into: &bytes) { bf16Bits(of: $0.bitPattern).littleEndian }
    case .f16: each(values, into: &bytes) { halfBits(of: $0.bitPattern).littleEndian }
    case .f32: each(values, into: &bytes) { quiet($0.bitPattern).littleEndian }
    default: each(values, into: &bytes) { Double($0).bitPattern.littleEndian }
    }
  }

  /// The same for double precision, in one step.
  public func round(_ values: Span<Double>, into bytes: inout MutableRawSpan) {
    precondition(isComputable && bytes.byteCount == byteCount(of: values.count))
    switch self {
    case .bf16: each(values, into: &bytes) { bf16Bits(of: oddFloat($0)).littleEndian }
    case .f16: each(values, into: &bytes) { halfBits(of: oddFloat($0)).littleEndian }
    case .f32: each(values, into: &bytes) { Float($0).bitPattern.littleEndian }
    default: each(values, into: &bytes) { $0.bitPattern.littleEndian }
    }
  }
}

/// Stores `body` of each value.
@inline(__always)
private func each<Value: BitwiseCopyable, Bits: FixedWidthInteger & BitwiseCopyable>(
  _ values: Span<Value>, into bytes: inout MutableRawSpan, _ body: (Value) -> Bits
) {
  let width = MemoryLayout<Bits>.size
  unsafe values.withUnsafeBufferPointer { values in
    unsafe bytes.withUnsafeMutableBytes { bytes in
      guard let source = values.baseAddress, let target = bytes.baseAddress else { return }
      for index in 0..<values.count {
        unsafe target.storeBytes(
          of: body(source[index]), toByteOffset: index * width, as: Bits.self)
      }
    }
  }
}

private let infinity: UInt32 = 0x7F80_0000

/// The nearest bf16 of a `Float`'s bits; NaN becomes the quiet NaN of that sign.
@inline(__always)
private func bf16Bits(of bits: UInt32) -> UInt16 {
  let rounded = (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16
  let isNaN = Int32(bitPattern: bits & 0x7FFF_FFFF) > Int32(bitPattern: infinity)
  return UInt16(truncatingIfNeeded: isNaN ? bits >> 16 & 0x8000 | 0x7FC0 : rounded)
}

/// The nearest half of a `Float`'s bits; NaN becomes the quiet NaN of that sign.
@inline(__always)
private func halfBits(of bits: UInt32) -> UInt16 {
  let magnitude = bits & 0x7FFF_FFFF
  let number = Int32(bitPattern: magnitude)
  // 112 is the difference of the biases; a carry into the exponent comes out right by itself.
  let normal = (magnitude &+ 0xFFF &+ (magnitude >> 13 & 1)) >> 13 &- 112 << 10
  // The last place of 0.5 is that of half's subnormals, so the addition rounds to it.
  let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- Float(0.5).bitPattern
  var half = number < 0x3880_0000 ? subnormal : normal
  half = number >= 0x4780_0000 ? 0x7C00 : half
  half = number > Int32(bitPattern: infinity) ? 0x7E00 : half
  return UInt16(truncatingIfNeeded: bits >> 16 & 0x8000 | half)
}

/// A `Float`'s bits; a signalling NaN becomes quiet, as by every arithmetic.
@inline(__always)
private func quiet(_ bits: UInt32) -> UInt32 {
  let isNaN = Int32(bitPattern: bits & 0x7FFF_FFFF) > Int32(bitPattern: infinity)
  return isNaN ? bits | 0x0040_0000 : bits
}

/// The bits of a `Float` that is `value` cut off, its last bit set if anything was cut ("round to
/// odd"): rounding that to a type with at least two bits less gives what rounding `value` gives.
///
/// Source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
/// rounding to odd", IEEE Transactions on Computers 57 (2008).
@inline(__always)
private func oddFloat(_ value: Double) -> UInt32 {
  let nearest = Float(value)
  let back = Double(nearest)
  let cut = nearest.bitPattern &- (back.magnitude > value.magnitude ? 1 : 0)
  return back == value || value != value ? nearest.bitPattern : cut | 1
}

// MARK: What rounding does

/// What rounding to a type does to numbers. Each falls into one class, the worst.
public struct RoundingLoss: Sendable, Equatable {
  /// How many numbers there are.
  public private(set) var count = 0
  /// Finite numbers that the type has not: they became the nearest one it has.
  public private(set) var rounded = 0
  /// Finite numbers that became infinite.
  public private(set) var overflowed = 0
  /// Numbers that became subnormal, and lost digits by it.
  public private(set) var becameSubnormal = 0
  /// Numbers that became zero.
  public private(set) var becameZero = 0
  /// What is no number, and stays none.
  public private(set) var nan = 0
  /// The largest |new − old| / |old| of the numbers that stayed finite and not zero.
  public private(set) var largestRelativeError = 0.0

  /// Nothing yet.
  public init() {}

  /// What somebody counted.
  package init(
    count: Int, rounded: Int, overflowed: Int, becameSubnormal: Int, becameZero: Int, nan: Int,
    largestRelativeError: Double
  ) {
    self.count = count
    self.rounded = rounded
    self.overflowed = overflowed
    self.becameSubnormal = becameSubnormal
    self.becameZero = becameZero
    self.nan = nan
    self.largestRelativeError = largestRelativeError
  }

  /// Whether any number is not what it was.
  public var isLossy: Bool { rounded + overflowed + becameSubnormal + becameZero > 0 }

  /// Both together.
  public static func += (a: inout RoundingLoss, b: RoundingLoss) {
    a.count += b.count
    a.rounded += b.rounded
    a.overflowed += b.overflowed
    a.becameSubnormal += b.becameSubnormal
    a.becameZero += b.becameZero
    a.nan += b.nan
    a.largestRelativeError = max(a.largestRelativeError, b.largestRelativeError)
  }

  fileprivate mutating func add(_ old: Double, _ new: Double, leastNormal: Double) {
    count += 1
    if old.isNaN {
      nan += 1
    } else if new != old {
      if new.isInfinite {
        overflowed += 1
        return
      }
      if new == 0 {
        becameZero += 1
        return
      }
      if abs(new) < leastNormal { becameSubnormal += 1 } else { rounded += 1 }
      largestRelativeError = max(largestRelativeError, abs((new - old) / old))
    }
  }
}

extension DType {
  /// What `round` does to numbers.
  ///
  /// - Precondition: `isComputable`.
  public func loss(ofRounding values: Span<Double>) -> RoundingLoss {
    var loss = RoundingLoss()
    for index in values.indices {
      let value = values[index]
      loss.add(value, self.value(ofBits: roundedBits(of: value)), leastNormal: leastNormal)
    }
    return loss
  }

  /// What `round` does to numbers.
  ///
  /// - Precondition: `isComputable`.
  public func loss(ofRounding values: Span<Float>) -> RoundingLoss {
    var loss = RoundingLoss()
    let blockSize = 1 << 12
    for start in stride(from: 0, to: values.count, by: blockSize) {
      let block = values.extracting(start..<min(start + blockSize, values.count))
      switch self {
      case .bf16: loss.add(block, leastNormal: 0x0080_0000) { roundedToBF16($0) }
      case .f16: loss.add(block, leastNormal: 0x3880_0000) { roundedToHalf($0) }
      default: loss.add(block, leastNormal: 0) { $0 }
      }
    }
    return loss
  }

  /// The smallest normal number.
  private var leastNormal: Double {
    switch self {
    case .f16: 0x1p-14
    case .bf16, .f32: 0x1p-126
    default: Double.leastNormalMagnitude
    }
  }

  /// The number that bits of this type stand for.
  ///
  /// - Precondition: `isComputable`.
  public func value(ofBits bits: UInt64) -> Double {
    switch self {
    case .f64: Double(bitPattern: bits)
    case .f32: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .bf16: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits) << 16))
    default: Double(widenedHalf(UInt16(truncatingIfNeeded: bits)))
    }
  }
}

/// The `Float` bits of the nearest bf16 of a magnitude that is no NaN.
@inline(__always)
private func roundedToBF16(_ magnitude: UInt32) -> UInt32 {
  (magnitude &+ 0x7FFF &+ (magnitude >> 16 & 1)) & 0xFFFF_0000
}

/// The `Float` bits of the nearest half of a magnitude that is no NaN.
@inline(__always)
private func roundedToHalf(_ magnitude: UInt32) -> UInt32 {
  let normal = (magnitude &+ 0xFFF &+ (magnitude >> 13 & 1)) & ~0x1FFF
  let subnormal = (Float(bitPattern: magnitude) + 0.5 - 0.5).bitPattern
  let half = Int32(bitPattern: magnitude) < 0x3880_0000 ? subnormal : normal
  return Int32(bitPattern: half) >= 0x4780_0000 ? infinity : half
}

extension RoundingLoss {
  /// Adds a block, whose counts fit 32 bits.
  ///
  /// The classes are found on the bits of the magnitudes. The relative error is first estimated in
  /// single precision; only a block that may hold a new largest one is gone through exactly.
  @inline(__always)
  fileprivate mutating func add(
    _ block: Span<Float>, leastNormal: Int32, _ rounding: (UInt32) -> UInt32
  ) {
    let estimate = classify(block, leastNormal: leastNormal, rounding)
    // The difference is exact, the quotient is rounded once.
    guard Double(estimate) * (1 + 0x1p-22) > largestRelativeError else { return }
    for index in block.indices {
      let old = block[index].magnitude
      let new = Float(bitPattern: rounding(old.bitPattern))
      guard new.isFinite, new > 0 else { continue }
      let error = abs((Double(new) - Double(old)) / Double(old))
      largestRelativeError = max(largestRelativeError, error)
    }
  }

  /// Counts the classes; about the largest relative error.
  @inline(__always)
  private mutating func classify(
    _ block: Span<Float>, leastNormal: Int32, _ rounding: (UInt32) -> UInt32
  ) -> Float {
    var (nans, changes, overflows, zeros, small): (UInt32, UInt32, UInt32, UInt32, UInt32)
    (nans, changes, overflows, zeros, small) = (0, 0, 0, 0, 0)
    var largest: Int32 = 0
    unsafe block.withUnsafeBufferPointer { values in
      for index in 0..<values.count {
        let old = unsafe values[index].bitPattern & 0x7FFF_FFFF
        let new = rounding(old)
        let isNaN: UInt32 = Int32(bitPattern: old) > Int32(bitPattern: infinity) ? 1 : 0
        let isChanged = (new == old ? 0 : 1) & (1 - isNaN)
        let isInfinite = (new == infinity ? 1 : 0) & isChanged
        let isZero = (new == 0 ? 1 : 0) & isChanged
        nans &+= isNaN
        changes &+= isChanged
        overflows &+= isInfinite
        zeros &+= isZero
        small &+= (Int32(bitPattern: new) < leastNormal ? 1 : 0) & isChanged
        let difference = (Float(bitPattern: new) - Float(bitPattern: old)).magnitude
        let error = Int32(bitPattern: (difference / Float(bitPattern: old)).bitPattern)
        let counted = isChanged & (1 - isInfinite) & (1 - isZero) == 1 ? error : 0
        largest = counted > largest ? counted : largest
      }
    }
    count += block.count
    nan += Int(nans)
    overflowed += Int(overflows)
    becameZero += Int(zeros)
    becameSubnormal += Int(small) - Int(zeros)
    rounded += Int(changes) - Int(overflows) - Int(small)
    return Float(bitPattern: UInt32(bitPattern: largest))
  }
}
