import TensorCore
import TestSupport
import Testing

@Suite struct ElementTests {
  /// The elements of `bytes`, as bit patterns of `Float`, any NaN the same.
  private func floats(_ dtype: DType, _ bytes: [UInt8], count: Int) -> [UInt32] {
    (0..<count).map { index in
      guard case .single(let value) = dtype.element(at: index, of: bytes) else { return 1 }
      return value.isNaN ? Float.nan.bitPattern : value.bitPattern
    }
  }

  @Test(arguments: [
    (DType.f8e5m2, SmallFloatTable.f8e5m2), (.f8e4m3, .f8e4m3), (.f8e4m3fnuz, .f8e4m3fnuz),
    (.f8e5m2fnuz, .f8e5m2fnuz), (.f6e2m3, .f6e2m3), (.f6e3m2, .f6e3m2), (.f4, .f4),
  ])
  func `every code of a small float is what ml_dtypes says`(
    _ dtype: DType, _ table: SmallFloatTable
  ) {
    #expect(table.numbers.count == 1 << (dtype.bitWidth - 1))
    let negative = [table.negativeZero] + table.numbers.dropFirst().map { -$0 }
    let expected = (table.numbers + negative)
      .map { $0.isNaN ? Float.nan.bitPattern : Float($0).bitPattern }
    let codes = (0..<expected.count).map { UInt8($0) }
    let packed = packed(codes, bits: dtype.bitWidth)
    #expect(floats(dtype, packed, count: codes.count) == expected)
  }

  /// Codes side by side, the first in the lowest bits.
  private func packed(_ codes: [UInt8], bits: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: codes.count * bits / 8)
    for (index, code) in codes.enumerated() {
      for bit in 0..<bits where code >> bit & 1 == 1 {
        bytes[(index * bits + bit) / 8] |= 1 << ((index * bits + bit) % 8)
      }
    }
    return bytes
  }

  @Test func `an E8M0 code is a power of two`() {
    let codes = [UInt8](0...255)
    let expected = (-127...127).map { Float(sign: .plus, exponent: $0, significand: 1).bitPattern }
    #expect(floats(.f8e8m0, codes, count: 256) == expected + [Float.nan.bitPattern])
  }

  @Test func `every half is what Float16 says`() throws {
    let bytes = (0...UInt16.max).flatMap { littleEndian($0) }
    let expected = (0...UInt16.max).map { Float(Float16(bitPattern: $0)) }
    for code in 0...UInt16.max {
      let value = widenedHalf(code)
      let goal = expected[Int(code)]
      #expect(value.bitPattern == goal.bitPattern || value.isNaN && goal.isNaN, "\(code)")
    }
    let normalized = expected.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
    #expect(floats(.f16, bytes, count: 1 << 16) == normalized)
  }

  @Test func `a bfloat16 is the upper half of a float`() {
    let bytes = (0...UInt16.max).flatMap { littleEndian($0) }
    let expected = (0...UInt16.max).map { code in
      let value = Float(bitPattern: UInt32(code) << 16)
      return value.isNaN ? Float.nan.bitPattern : value.bitPattern
    }
    #expect(floats(.bf16, bytes, count: 1 << 16) == expected)
  }

  @Test(arguments: [
    (DType.i8, [0x7F, 0x80] as [UInt8], ElementValue.integer(-128)),
    (.u8, [0, 0xFF], .unsigned(255)), (.bool, [0, 1], .bool(1)), (.bool, [0, 7], .bool(7)),
    (.i16, [0, 0, 0xFE, 0xFF], .integer(-2)), (.u16, [0, 0, 0xFE, 0xFF], .unsigned(0xFFFE)),
    (.i32, [0, 0, 0, 0, 1, 0, 0, 0x80], .integer(-0x7FFF_FFFF)),
    (.u32, [0, 0, 0, 0, 1, 0, 0, 0x80], .unsigned(0x8000_0001)),
    (.i64, littleEndian(0) + littleEndian(Int.min), .integer(.min)),
    (.u64, littleEndian(0) + littleEndian(UInt64.max), .unsigned(.max)),
    (.f32, littleEndian(0 as UInt32) + [0, 0, 0xC0, 0xBF], .single(-1.5)),
    (.f64, littleEndian(0) + littleEndian((0.1).bitPattern), .real(0.1)),
    (.c64, littleEndian(0) + [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0], .complex(1, -2)),
    (
      .c128,
      littleEndian(0) + littleEndian(0) + littleEndian((0.1).bitPattern)
        + littleEndian((-0.2).bitPattern), .complex(0.1, -0.2)
    ),
  ])
  func `element 1 of each type`(_ dtype: DType, _ bytes: [UInt8], _ value: ElementValue) {
    #expect(dtype.element(at: 1, of: bytes) == value)
  }

  @Test func `integers are known by their value, not by their type`() {
    let values: [ElementValue] = [
      .bool(1), .integer(-5), .unsigned(7), .unsigned(.max), .single(1), .real(1), .complex(1, 0),
    ]
    #expect(values.map(\.int) == [1, -5, 7, nil, nil, nil, nil])
  }
}

@Suite struct WideningTests {
  private func widened<Scalar: BinaryFloatingPoint>(
    _ dtype: DType, _ bytes: [UInt8], _: Scalar.Type
  ) -> [Scalar] {
    var values = [Scalar](repeating: 0, count: bytes.count * 8 / dtype.bitWidth)
    var span = values.mutableSpan
    dtype.widen(unsafe bytes.span.bytes, into: &span)
    return values
  }

  @Test(arguments: [DType.f16, .bf16, .f32, .f64])
  func `widening many is decoding each`(_ dtype: DType) {
    var generator = SeededGenerator(seed: 1)
    let codes = (0..<999).flatMap { _ in generator.bytes(dtype.bitWidth / 8) }
    let bytes = dtype.bitWidth == 16 ? (0...UInt16.max).flatMap { littleEndian($0) } : codes
    let doubles = widened(dtype, bytes, Double.self)
    let floats = widened(dtype, bytes, Float.self)
    for index in doubles.indices {
      let exact: Double
      switch dtype.element(at: index, of: bytes) {
      case .single(let value): exact = Double(value)
      case .real(let value): exact = value
      default: exact = 1e300
      }
      #expect(doubles[index] == exact || doubles[index].isNaN && exact.isNaN)
      #expect(floats[index] == Float(exact) || floats[index].isNaN && exact.isNaN)
    }
  }

  @Test func `signs of zeros survive`() {
    #expect(widened(.f16, [0, 0x80], Double.self)[0].sign == .minus)
    #expect(widened(.bf16, [0, 0x80], Float.self)[0].sign == .minus)
  }
}
