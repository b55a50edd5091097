// Blocks of 32 codes (of some more where codes are smaller) with one scale, and perhaps one minimum, in half
// precision: ggml-quants.c, `dequantize_row_q4_0` to `dequantize_row_q8_0`, `q1_0` and `q2_0`. Of a byte with two codes the lower
// half belongs to the first 16 numbers, the upper half to the others.

typealias Numbers = MutableSpan<Float>

func decodeQ40(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 32 {
    let (b, n) = (block * 18, block * 32)
    let scale = x.half(b)
    for i in 0..<16 {
      let code = x[b + 2 + i]
      y[n + i] = scale * Float(Int(code & 0xF) - 8)
      y[n + 16 + i] = scale * Float(Int(code >> 4) - 8)
    }
  }
}

func decodeQ41(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 32 {
    let (b, n) = (block * 20, block * 32)
    let (scale, minimum) = (x.half(b), x.half(b + 2))
    for i in 0..<16 {
      let code = x[b + 4 + i]
      y[n + i] = scale * Float(code & 0xF) + minimum
      y[n + 16 + i] = scale * Float(code >> 4) + minimum
    }
  }
}

func decodeQ50(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 32 {
    let (b, n) = (block * 22, block * 32)
    let (scale, high) = (x.half(b), x.bits32(b + 2))
    for i in 0..<16 {
      let code = x[b + 6 + i]
      y[n + i] = scale * Float(fifth(high, i) | Int(code & 0xF) &- 16)
      y[n + 16 + i] = scale * Float(fifth(high, i + 16) | Int(code >> 4) &- 16)
    }
  }
}

func decodeQ51(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 32 {
    let (b, n) = (block * 24, block * 32)
    let (scale, minimum, high) = (x.half(b), x.half(b + 2), x.bits32(b + 4))
    for i in 0..<16 {
      let code = x[b + 8 + i]
      y[n + i] = scale * Float(fifth(high, i) | Int(code & 0xF)) + minimum
      y[n + 16 + i] = scale * Float(fifth(high, i + 16) | Int(code >> 4)) + minimum
    }
  }
}

/// The fifth bit of code `index`.
@inline(__always) private func fifth(_ bits: UInt32, _ index: Int) -> Int {
  Int(truncatingIfNeeded: bits >> UInt32(truncatingIfNeeded: index) & 1) << 4
}

func decodeQ80(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 32 {
    let (b, n) = (block * 34, block * 32)
    let scale = x.half(b)
    for i in 0..<32 { y[n + i] = x.signed(b + 2 + i) * scale }
  }
}

/// Behind the scale, the sum of the numbers, which nothing is decoded from.
func decodeQ81(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 32 {
    let (b, n) = (block * 36, block * 32)
    let scale = x.half(b)
    for i in 0..<32 { y[n + i] = x.signed(b + 4 + i) * scale }
  }
}

/// A bit a number: the scale, or what is opposite to it.
func decodeQ10(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 128 {
    let (b, n) = (block * 18, block * 128)
    let scale = x.half(b)
    for i in 0..<128 { y[n + i] = x[b + 2 + i / 8] >> UInt8(i % 8) & 1 == 1 ? scale : -scale }
  }
}

func decodeQ20(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 64 {
    let (b, n) = (block * 18, block * 64)
    let scale = x.half(b)
    for i in 0..<64 { y[n + i] = Float(Int(x[b + 2 + i / 4] >> UInt8(i % 4 * 2) & 3) - 1) * scale }
  }
}

// MARK: Three values

/// Five digits of base three in a byte, as a fraction of 256: multiplied by powers of three, one after the other
/// comes to the top. Of the 52 bytes, 32 hold 160 numbers, 16 hold 80, and 4 hold 16, four each.
func decodeTQ10(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 54, block * 256)
    let scale = x.half(b + 52)
    var place = n
    for (start, count, digits) in [(0, 32, 5), (32, 16, 5), (48, 4, 4)] {
      var power: UInt8 = 1
      for _ in 0..<digits {
        for i in 0..<count {
          let top = (UInt16(x[b + start + i] &* power) * 3) >> 8
          y[place + i] = scale * Float(Int(top) - 1)
        }
        place += count
        power = power &* 3
      }
    }
  }
}

func decodeTQ20(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 66, block * 256)
    let scale = x.half(b + 64)
    for i in 0..<256 {
      let code = x[b + i / 128 * 32 + i % 32] >> UInt8(i % 128 / 32 * 2) & 3
      y[n + i] = scale * Float(Int(code) - 1)
    }
  }
}
