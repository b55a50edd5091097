/// An element type whose numbers are loaded eight at a time.
///
/// What is done to lanes stands here, for each concrete type: the same operators on a generic vector
/// would go lane by lane.
protocol RunElement {
  /// Eight numbers, in the narrowest type that has them all.
  associatedtype Lanes: SIMD where Lanes.Scalar: BinaryFloatingPoint

  /// Bytes of an element.
  static var width: Int { get }
  /// Binary digits of an element.
  static var digits: Int { get }
  /// The eight elements from byte `offset` on.
  static func load(_ bytes: RawSpan, at offset: Int) -> Lanes
  /// The same as doubles.
  static func widen(_ lanes: Lanes) -> SIMD8<Double>
  /// The absolute values.
  static func magnitude(_ lanes: Lanes) -> Lanes
  /// The smaller of each pair of lanes; `new` where one is NaN.
  static func smaller(_ old: Lanes, _ new: Lanes) -> Lanes
  /// The larger of each pair of lanes; `new` where one is NaN.
  static func larger(_ old: Lanes, _ new: Lanes) -> Lanes
  /// Adds 1 to the lanes of `count` where those of `lanes` are below a limit.
  static func count(_ lanes: Lanes, below limit: Double, in count: inout Lanes)
  /// Adds 1 to the lanes of `count` where those of `lanes` are zero.
  static func count(zerosOf lanes: Lanes, in count: inout Lanes)
}

/// The types that load as single precision.
protocol SingleRunElement: RunElement where Lanes == SIMD8<Float> {}

extension SingleRunElement {
  @inline(__always)
  static func widen(_ lanes: SIMD8<Float>) -> SIMD8<Double> { SIMD8<Double>(lanes) }

  @inline(__always)
  static func magnitude(_ lanes: SIMD8<Float>) -> SIMD8<Float> {
    floats(bits(lanes) & 0x7FFF_FFFF)
  }

  @inline(__always)
  static func smaller(_ old: SIMD8<Float>, _ new: SIMD8<Float>) -> SIMD8<Float> {
    new.replacing(with: old, where: old .< new)
  }

  @inline(__always)
  static func larger(_ old: SIMD8<Float>, _ new: SIMD8<Float>) -> SIMD8<Float> {
    new.replacing(with: old, where: old .> new)
  }

  @inline(__always)
  static func count(zerosOf lanes: SIMD8<Float>, in count: inout SIMD8<Float>) {
    let (none, one) = (SIMD8<Float>(repeating: 0), SIMD8<Float>(repeating: 1))
    count += none.replacing(with: one, where: lanes .== none)
  }

  @inline(__always)
  static func count(_ lanes: SIMD8<Float>, below limit: Double, in count: inout SIMD8<Float>) {
    let (none, one) = (SIMD8<Float>(repeating: 0), SIMD8<Float>(repeating: 1))
    count += none.replacing(with: one, where: lanes .< SIMD8(repeating: Float(limit)))
  }
}

/// IEEE 754 binary32.
enum SingleElement: SingleRunElement {
  static let width = 4
  static let digits = 24

  @inline(__always)
  static func load(_ bytes: RawSpan, at offset: Int) -> SIMD8<Float> {
    unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: SIMD8<Float>.self)
  }
}

/// The upper half of binary32.
enum BrainElement: SingleRunElement {
  static let width = 2
  static let digits = 8

  @inline(__always)
  static func load(_ bytes: RawSpan, at offset: Int) -> SIMD8<Float> {
    let halves = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: SIMD8<UInt16>.self)
    return floats(SIMD8<UInt32>(truncatingIfNeeded: halves) &<< 16)
  }
}

/// IEEE 754 binary16.
enum HalfElement: SingleRunElement {
  static let width = 2
  static let digits = 11

  /// With the exponent's field moved, a half is 2¹¹² times too small, subnormals included; infinities
  /// and NaN get the exponent that they must have.
  @inline(__always)
  static func load(_ bytes: RawSpan, at offset: Int) -> SIMD8<Float> {
    let halves = SIMD8<UInt32>(
      truncatingIfNeeded:
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: SIMD8<UInt16>.self))
    let sign = (halves & 0x8000) &<< 16
    let moved = (halves & 0x7FFF) &<< 13
    let scaled = bits(floats(moved) * 0x1p112)
    return floats(
      scaled.replacing(with: moved | 0x7F80_0000, where: moved .>= 0x0F80_0000) | sign)
  }
}

/// IEEE 754 binary64.
enum DoubleElement: RunElement {
  static let width = 8
  static let digits = 53

  @inline(__always)
  static func load(_ bytes: RawSpan, at offset: Int) -> SIMD8<Double> {
    unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: SIMD8<Double>.self)
  }

  @inline(__always)
  static func widen(_ lanes: SIMD8<Double>) -> SIMD8<Double> { lanes }

  @inline(__always)
  static func magnitude(_ lanes: SIMD8<Double>) -> SIMD8<Double> {
    unsafe unsafeBitCast(
      unsafeBitCast(lanes, to: SIMD8<UInt64>.self) & 0x7FFF_FFFF_FFFF_FFFF, to: SIMD8<Double>.self)
  }

  @inline(__always)
  static func smaller(_ old: SIMD8<Double>, _ new: SIMD8<Double>) -> SIMD8<Double> {
    new.replacing(with: old, where: old .< new)
  }

  @inline(__always)
  static func larger(_ old: SIMD8<Double>, _ new: SIMD8<Double>) -> SIMD8<Double> {
    new.replacing(with: old, where: old .> new)
  }

  @inline(__always)
  static func count(zerosOf lanes: SIMD8<Double>, in count: inout SIMD8<Double>) {
    let (none, one) = (SIMD8<Double>(repeating: 0), SIMD8<Double>(repeating: 1))
    count += none.replacing(with: one, where: lanes .== none)
  }

  @inline(__always)
  static func count(_ lanes: SIMD8<Double>, below limit: Double, in count: inout SIMD8<Double>) {
    let (none, one) = (SIMD8<Double>(repeating: 0), SIMD8<Double>(repeating: 1))
    count += none.replacing(with: one, where: lanes .< SIMD8(repeating: limit))
  }
}

@inline(__always)
private func bits(_ lanes: SIMD8<Float>) -> SIMD8<UInt32> {
  unsafe unsafeBitCast(lanes, to: SIMD8<UInt32>.self)
}

@inline(__always)
private func floats(_ bits: SIMD8<UInt32>) -> SIMD8<Float> {
  unsafe unsafeBitCast(bits, to: SIMD8<Float>.self)
}
