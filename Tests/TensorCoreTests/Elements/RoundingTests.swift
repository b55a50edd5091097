import TensorCore
import TestSupport
import Testing

/// All finite numbers of a sixteen-bit type that have no sign, by their codes.
private struct Neighbours: Sendable {
  let dtype: DType
  let values: [Double]

  init(_ dtype: DType, value: (UInt16) -> Double) {
    self.dtype = dtype
    let infinity: UInt16 = dtype == .f16 ? 0x7C00 : 0x7F80
    values = (0..<infinity).map(value)
  }

  /// The code nearest to `value`, the even one of two: by looking at both neighbours.
  func nearest(to value: Double) -> UInt64 {
    let sign: UInt64 = value.sign == .minus ? 0x8000 : 0
    let magnitude = value.magnitude
    let largest = values[values.count - 1]
    let above = values.partitioningIndex { $0 >= magnitude }
    if above == values.count {
      // Where the next number would be, infinity is.
      let next = largest + (largest - values[values.count - 2])
      let infinity = UInt64(values.count)
      return sign | (magnitude - largest < next - magnitude ? infinity - 1 : infinity)
    }
    if above == 0 || values[above] == magnitude { return sign | UInt64(above) }
    let (down, up) = (magnitude - values[above - 1], values[above] - magnitude)
    let isLower = down < up || down == up && (above - 1).isMultiple(of: 2)
    return sign | UInt64(isLower ? above - 1 : above)
  }
}

extension [Double] {
  /// The first index whose element satisfies `predicate`, which no smaller one does.
  fileprivate func partitioningIndex(_ predicate: (Double) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if predicate(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

private let half = Neighbours(.f16) { Double(Float16(bitPattern: $0)) }
private let brain = Neighbours(.bf16) { Double(Float(bitPattern: UInt32($0) << 16)) }

@Suite struct RoundingTests {
  @Test(arguments: [half, brain])
  private func `every number of the type stays itself`(_ type: Neighbours) {
    for (code, value) in type.values.enumerated() {
      #expect(type.dtype.roundedBits(of: value) == UInt64(code))
      #expect(type.dtype.roundedBits(of: -value) == UInt64(code) | 0x8000)
    }
  }

  @Test(arguments: [half, brain])
  private func `the middle of two goes to the even one, and its sides to the nearer`(
    _ type: Neighbours
  ) {
    for code in 0..<type.values.count - 1 {
      let middle = type.values[code] / 2 + type.values[code + 1] / 2
      let even = UInt64(code + code % 2)
      #expect(type.dtype.roundedBits(of: middle) == even, "\(type.dtype) \(middle)")
      #expect(type.dtype.roundedBits(of: -middle) == even | 0x8000)
      #expect(type.dtype.roundedBits(of: middle.nextDown) == UInt64(code))
      #expect(type.dtype.roundedBits(of: middle.nextUp) == UInt64(code + 1))
    }
  }

  @Test(arguments: [half, brain], 0..<8 as Range<UInt64>)
  private func `random numbers go to the nearest`(_ type: Neighbours, seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      // Within and around the type's range, down to far below its smallest number.
      let exponent = Int.random(in: type.dtype == .f16 ? -30...17 : -140...129, using: &generator)
      let significand = Double.random(in: 1..<2, using: &generator)
      let sign: FloatingPointSign = Bool.random(using: &generator) ? .minus : .plus
      let value = Double(sign: sign, exponent: exponent, significand: significand)
      #expect(type.dtype.roundedBits(of: value) == type.nearest(to: value), "\(value)")
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func `halves are rounded as the compiler's Float16 is`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<5000 {
      let value = Double(bitPattern: generator.next())
      let small = Double.random(in: -70000...70000, using: &generator)
      for value in [value, small, small * 0x1p-24, small * 0x1p-30] where !value.isNaN {
        #expect(DType.f16.roundedBits(of: value) == UInt64(Float16(value).bitPattern), "\(value)")
      }
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func `single and double precision are the machine's`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      let value = Double(bitPattern: generator.next())
      if value.isNaN { continue }
      #expect(DType.f64.roundedBits(of: value) == value.bitPattern)
      #expect(DType.f32.roundedBits(of: value) == UInt64(Float(value).bitPattern))
    }
  }

  @Test func `one step, not two`() {
    // To single precision first, this would become a tie, and go down to even.
    let value = 1 + 0x1p-11 + 0x1p-40
    #expect(DType.f16.roundedBits(of: value) == 0x3C01)
    #expect(DType.bf16.roundedBits(of: 1 + 0x1p-8 + 0x1p-40) == 0x3F81)
  }

  @Test(arguments: [
    (DType.f16, 65519.99, 0x7BFF as UInt64), (.f16, 65520, 0x7C00), (.f16, -65520, 0xFC00),
    (.f16, 1e300, 0x7C00), (.f16, .infinity, 0x7C00), (.f16, -.infinity, 0xFC00),
    (.f16, 0x1p-25, 0), (.f16, 0x1.0000000001p-25, 1), (.f16, -0x1p-25, 0x8000),
    (.f16, .leastNonzeroMagnitude, 0), (.f16, -0.0, 0x8000), (.f16, 0x1.FF8p-15, 0x3FF),
    (.f16, 0x1.FFCp-15, 0x400),
    (.bf16, 0x1.FEp127, 0x7F7F), (.bf16, 0x1.FEFFFFp127, 0x7F7F), (.bf16, 0x1.FFp127, 0x7F80),
    (.bf16, -1e300, 0xFF80), (.bf16, 0x1p-134, 0), (.bf16, 0x1.01p-134, 1),
    (.bf16, 0x1p-133, 1), (.bf16, -0.0, 0x8000), (.bf16, .leastNonzeroMagnitude, 0),
    (.f32, 1e300, 0x7F80_0000), (.f32, 0x1p-150, 0), (.f32, -0.0, 0x8000_0000),
  ])
  func `the ends of the range`(_ dtype: DType, _ value: Double, _ bits: UInt64) {
    #expect(dtype.roundedBits(of: value) == bits)
  }

  @Test func `NaN stays NaN, quiet, with its sign`() {
    let signalling = Double(bitPattern: 0x7FF0_0000_0000_0001)
    for value in [Double.nan, signalling] {
      #expect(DType.f16.roundedBits(of: value) == 0x7E00)
      #expect(DType.bf16.roundedBits(of: value) == 0x7FC0)
      #expect(DType.f16.roundedBits(of: -value) == 0xFE00)
      #expect(DType.bf16.roundedBits(of: -value) == 0xFFC0)
      #expect(Float(bitPattern: UInt32(DType.f32.roundedBits(of: value))).isNaN)
    }
  }
}
