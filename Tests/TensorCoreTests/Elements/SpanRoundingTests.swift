import TensorCore
import TestSupport
import Testing

/// The fast loops over spans against the plain definitions, element by element.
@Suite struct SpanRoundingTests {
  private static let types: [DType] = [.f16, .bf16, .f32, .f64]

  /// Numbers of all kinds: any bits, around the borders of the small types, ties and their sides.
  private func numbers(seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: seed)
    var numbers: [Double] = [0, -0.0, .infinity, -.infinity, .nan, -.nan]
    numbers.append(Double(bitPattern: 0x7FF0_0000_0000_0001))
    for _ in 0..<20_000 {
      numbers.append(Double(bitPattern: generator.next()))
      numbers.append(Double(Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))))
      let exponent = Int.random(in: -150...130, using: &generator)
      let bits = generator.next() & 0x8000_0000_0000_0000
      // A half, or a bf16, or the middle of two, and what is beside it.
      let mantissa = (generator.next() % 4096) << 40
      let exact = bits | UInt64(exponent + 1023) << 52 | mantissa
      for delta in [0, 1, -1, 1 << 29, -1 << 29] as [Int64] {
        numbers.append(Double(bitPattern: exact &+ UInt64(bitPattern: delta)))
      }
    }
    return numbers
  }

  private func codes(_ bytes: [UInt8], _ dtype: DType) -> [UInt64] {
    let width = dtype.bitWidth / 8
    return stride(from: 0, to: bytes.count, by: width).map { start in
      bytes[start..<start + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  @Test(arguments: types, 0..<3 as Range<UInt64>)
  func `double precision`(_ dtype: DType, seed: UInt64) {
    let values = numbers(seed: seed)
    var bytes = [UInt8](repeating: 0xAA, count: values.count * dtype.bitWidth / 8)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    dtype.round(values.span, into: &raw)
    for (value, code) in zip(values, codes(bytes, dtype)) {
      #expect(code == dtype.roundedBits(of: value), "\(value)")
    }
  }

  @Test(arguments: types, 0..<3 as Range<UInt64>)
  func `single precision`(_ dtype: DType, seed: UInt64) {
    let values = numbers(seed: seed).map { Float($0) }
    var bytes = [UInt8](repeating: 0xAA, count: values.count * dtype.bitWidth / 8)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    dtype.round(values.span, into: &raw)
    for (value, code) in zip(values, codes(bytes, dtype)) {
      #expect(code == dtype.roundedBits(of: Double(value)), "\(value)")
    }
  }

  /// Also with few elements, whose largest error is not hidden by others.
  @Test(arguments: types, 0..<3 as Range<UInt64>)
  func `what is lost is counted the same from single as from double precision`(
    _ dtype: DType, seed: UInt64
  ) {
    let values = numbers(seed: seed).map { Float($0) }
    let doubles = values.map(Double.init)
    #expect(dtype.loss(ofRounding: values.span) == dtype.loss(ofRounding: doubles.span))
    for start in stride(from: 0, to: values.count - 7, by: 701) {
      let few = Array(values[start..<start + 7])
      let fewDoubles = Array(doubles[start..<start + 7])
      #expect(dtype.loss(ofRounding: few.span) == dtype.loss(ofRounding: fewDoubles.span))
    }
  }

  @Test func `every element falls into one class`() {
    let values: [Float] = [1, -0.0, .infinity, .nan, 1.0001, 65520, 1.1 * 0x1p-20, 1e-30, 0]
    let loss = DType.f16.loss(ofRounding: values.span)
    #expect(
      [loss.count, loss.rounded, loss.overflowed, loss.becameSubnormal, loss.becameZero, loss.nan]
        == [9, 1, 1, 1, 1, 1])
    #expect(loss.isLossy)
    let exact: [Float] = [0.5, -2, .nan]
    #expect(!DType.bf16.loss(ofRounding: exact.span).isLossy)
  }
}
