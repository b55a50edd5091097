/// What one look at a few neighbouring numbers shows.
struct Run {
  /// Numbers of a run, at most: few enough to stay in the nearest cache for the second look, and for
  /// their sum to be exact most of the time.
  static let length = 1024

  /// Extremes, sum and deviations. No use if `isFinite` is false.
  let moments: Moments
  /// Whether no number is infinite or NaN, and neither is their sum.
  let isFinite: Bool
  /// Numbers that are zero.
  var zeros = 0
  /// Numbers that are subnormal in their type.
  var subnormals = 0

  /// Looks at `count` numbers from byte `offset` on.
  ///
  /// - Parameter leastNormal: the smallest number of the type that is not subnormal.
  /// - Precondition: `count` is a multiple of eight, and at most `length`.
  @inline(__always)
  init<Element: RunElement>(
    _: Element.Type, _ bytes: RawSpan, at offset: Int, count: Int, leastNormal: Double
  ) {
    let end = offset + count * Element.width
    let step = 8 * Element.width
    var (low, high) = (Element.Lanes(repeating: .infinity), Element.Lanes(repeating: -.infinity))
    var smallest = Element.Lanes(repeating: .infinity)
    var (sums, squares) = (SIMD8<Double>(repeating: 0), SIMD8<Double>(repeating: 0))
    var position = offset
    while position < end {
      let lanes = Element.load(bytes, at: position)
      low = Element.smaller(low, lanes)
      high = Element.larger(high, lanes)
      let magnitude = Element.magnitude(lanes)
      smallest = Element.smaller(smallest, magnitude)
      let wide = Element.widen(lanes)
      sums += wide
      squares += wide * wide
      position += step
    }
    let (minimum, maximum) = (Double(low.min()), Double(high.max()))
    let least = Double(smallest.min())
    let sum = Self.sum(
      Element.self, bytes, at: offset, end: end, plain: sums, least: least,
      most: max(-minimum, maximum))
    let mean = sum.value / Double(count)
    isFinite = mean.isFinite
    // Taking the mean's part away from the squares costs no more than a digit, or else a second look.
    let (total, part) = (squares.sum(), Double(count) * mean * mean)
    let deviations =
      total.isFinite && part < total / 2
      ? total - part : Self.squares(Element.self, bytes, at: offset, end: end, around: mean)
    moments = Moments(
      count: count, minimum: minimum, maximum: maximum, sum: sum, squares: deviations)
    if least < leastNormal {
      countSmall(Element.self, bytes, at: offset, end: end, leastNormal: leastNormal)
    }
  }

  /// The sum: the plain one if it is exact because all numbers are multiples of a unit that is not
  /// too small for them, else a compensated one. Magnitudes are from `least` to `most`.
  @inline(__always)
  private static func sum<Element: RunElement>(
    _: Element.Type, _ bytes: RawSpan, at offset: Int, end: Int, plain: SIMD8<Double>,
    least: Double, most: Double
  ) -> CompensatedSum {
    // All are multiples of 2^(exponent(least) − digits + 1), their sum is below 2^(exponent(most) + 11).
    let isExact =
      most == 0
      || least > 0 && most.isFinite
        && Int(most.exponent) - Int(least.exponent) <= 42 - Element.digits
    if isExact || !plain.sum().isFinite { return CompensatedSum(plain.sum()) }
    var (sums, errors) = (SIMD8<Double>(repeating: 0), SIMD8<Double>(repeating: 0))
    var position = offset
    while position < end {
      let lanes = Element.widen(Element.load(bytes, at: position))
      let next = sums + lanes
      let part = next - sums
      errors += (sums - (next - part)) + (lanes - part)
      sums = next
      position += 8 * Element.width
    }
    var result = CompensatedSum()
    for lane in 0..<8 { result.add(CompensatedSum(sums[lane], errors[lane])) }
    return result
  }

  @inline(__always)
  private static func squares<Element: RunElement>(
    _: Element.Type, _ bytes: RawSpan, at offset: Int, end: Int, around mean: Double
  ) -> Double {
    var sums = SIMD8<Double>(repeating: 0)
    var position = offset
    while position < end {
      let distances = Element.widen(Element.load(bytes, at: position)) - mean
      sums += distances * distances
      position += 8 * Element.width
    }
    return sums.sum()
  }

  @inline(__always)
  private mutating func countSmall<Element: RunElement>(
    _: Element.Type, _ bytes: RawSpan, at offset: Int, end: Int, leastNormal: Double
  ) {
    var (zero, small) = (Element.Lanes(repeating: 0), Element.Lanes(repeating: 0))
    var position = offset
    while position < end {
      let magnitude = Element.magnitude(Element.load(bytes, at: position))
      Element.count(zerosOf: magnitude, in: &zero)
      Element.count(magnitude, below: leastNormal, in: &small)
      position += 8 * Element.width
    }
    zeros = Int(zero.sum())
    subnormals = Int(small.sum()) - zeros
  }
}
