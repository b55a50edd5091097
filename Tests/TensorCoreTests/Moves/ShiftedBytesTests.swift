import TensorCore
import Testing

/// Weights that are stored plus a number.
@Suite struct ShiftedBytesTests {
  private func tensor(_ values: [Float]) -> Tensor {
    let bytes = values.flatMap { value in
      (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
    }
    return Tensor(name: "x", dtype: .f32, shape: [values.count], bytes: ByteArray(bytes))
  }

  @Test func `a number is added to each element, and any part reads as the whole does`() throws {
    let source = tensor([0, 0.5, -0.25, 3])
    let sum = source.adding(1)
    let whole = try sum.bytes.read(0..<16)
    #expect(whole == (try tensor([1, 1.5, 0.75, 4]).bytes.read(0..<16)))
    for start in 0..<16 {
      for end in start...16 {
        #expect(try sum.bytes.read(start..<end) == Array(whole[start..<end]))
      }
    }
    #expect(try sum.adding(-1).bytes.read(0..<16) == source.bytes.read(0..<16))
    let short = source.adding(1, as: .bf16)
    #expect(short.dtype == .bf16 && short.byteCount == 8)
    #expect(try short.bytes.read(0..<8) == [0x80, 0x3F, 0xC0, 0x3F, 0x40, 0x3F, 0x80, 0x40])
  }

  @Test(
    arguments: [
      ([0.5, -0.25, 0x1p-23], .f32, 0),
      // 1 + 2⁻²⁴ lies between two numbers.
      ([0x1p-24, 0.5], .f32, 1), ([0x1p-24], .f64, 0),
      ([0x1p-7, 0x1p-8, 0x1p-9], .bf16, 2), ([0x1p-10, 0x1p-11], .f16, 1),
      // Rounded to the type, it comes back as what it is there.
      ([0.3], .bf16, 1), ([0.30078125], .bf16, 1), ([0.3046875], .bf16, 0),
      // It has lost its sign.
      ([-0.0], .f32, 1),
    ] as [([Float], DType, Int)])
  func `what does not come back is counted`(
    _ values: [Float], _ dtype: DType, _ count: Int
  ) throws {
    #expect(try tensor(values).countLost(adding: 1, as: dtype) == count)
  }
}
