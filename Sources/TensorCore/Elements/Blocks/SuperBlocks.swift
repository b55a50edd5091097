// Blocks of 256 codes in groups, whose scales are themselves small codes with a scale in half precision:
// ggml-quants.c, `dequantize_row_q2_K` to `dequantize_row_q8_K`.

/// Sixteen groups of 16, each with four bits of a scale and four of a minimum.
func decodeQ2K(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 84, block * 256)
    let (scale, minimum) = (x.half(b + 80), x.half(b + 82))
    for group in 0..<16 {
      let code = x[b + group]
      let (d, m) = (scale * Float(code & 0xF), minimum * Float(code >> 4))
      let (start, shift) = twoBits(group)
      for i in 0..<16 {
        y[n + group * 16 + i] = d * Float(x[b + 16 + start + i] >> shift & 3) - m
      }
    }
  }
}

/// Where the two bits of a group's codes are, among 64 bytes, and in each of them.
@inline(__always) private func twoBits(_ group: Int) -> (start: Int, shift: UInt8) {
  (group / 8 * 32 + group % 2 * 16, UInt8(group % 8 / 2 * 2))
}

/// Sixteen groups of 16, each with a scale of six bits; a third bit of the codes in a mask, inverted.
func decodeQ3K(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 110, block * 256)
    let scale = x.half(b + 108)
    for group in 0..<16 {
      let low = x[b + 96 + group % 8] >> (group < 8 ? 0 : 4) & 0xF
      let high = x[b + 104 + group % 4] >> UInt8(group / 4 * 2) & 3
      let d = scale * Float(Int(low | high << 4) - 32)
      let (start, shift) = twoBits(group)
      for i in 0..<16 {
        let code = Int(x[b + 32 + start + i] >> shift & 3)
        let isHigh = x[b + group % 2 * 16 + i] >> UInt8(group / 2) & 1 == 1
        y[n + group * 16 + i] = d * Float(isHigh ? code : code - 4)
      }
    }
  }
}

/// The scale and the minimum of one of eight groups: six bits each, in twelve bytes.
@inline(__always)
private func sixBits(_ x: Span<UInt8>, _ b: Int, _ group: Int) -> (scale: Float, minimum: Float) {
  if group < 4 { return (Float(x[b + group] & 0x3F), Float(x[b + group + 4] & 0x3F)) }
  let low = x[b + group + 4]
  return (
    Float(low & 0xF | x[b + group - 4] >> 2 & 0x30), Float(low >> 4 | x[b + group] >> 2 & 0x30)
  )
}

/// Eight groups of 32.
func decodeQ4K(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 144, block * 256)
    let (scale, minimum) = (x.half(b), x.half(b + 2))
    for pair in 0..<4 {
      let (low, high) = (sixBits(x, b + 4, 2 * pair), sixBits(x, b + 4, 2 * pair + 1))
      let (d, m) = (scale * low.scale, minimum * low.minimum)
      let (e, o) = (scale * high.scale, minimum * high.minimum)
      let codes = x.extracting(b + 16 + pair * 32..<b + 48 + pair * 32)
      let first = n + pair * 64
      for i in 0..<32 {
        let code = codes[i]
        y[first + i] = d * Float(code & 0xF) - m
        y[first + 32 + i] = e * Float(code >> 4) - o
      }
    }
  }
}

/// Eight groups of 32; the fifth bits stand together before the others.
func decodeQ5K(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 176, block * 256)
    let (scale, minimum) = (x.half(b), x.half(b + 2))
    for group in 0..<8 {
      let found = sixBits(x, b + 4, group)
      let (d, m) = (scale * found.scale, minimum * found.minimum)
      let shift: UInt8 = group.isMultiple(of: 2) ? 0 : 4
      let start = b + 48 + group / 2 * 32
      for i in 0..<32 {
        let high = x[b + 16 + i] >> UInt8(truncatingIfNeeded: group) & 1
        y[n + group * 32 + i] = d * Float(x[start + i] >> shift & 0xF | high << 4) - m
      }
    }
  }
}

/// Sixteen groups of 16, each with a scale of eight bits with a sign; four bits and two bits of the codes apart.
func decodeQ6K(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 210, block * 256)
    let scale = x.half(b + 208)
    for group in 0..<16 {
      let d = scale * x.signed(b + 192 + group)
      let part = group % 8
      let low = b + group / 8 * 64 + part % 4 * 16
      let high = b + 128 + group / 8 * 32 + part % 2 * 16
      let (lowShift, highShift): (UInt8, UInt8) = (part < 4 ? 0 : 4, UInt8(part / 2 * 2))
      for i in 0..<16 {
        let code = x[low + i] >> lowShift & 0xF | (x[high + i] >> highShift & 3) << 4
        y[n + group * 16 + i] = d * Float(Int(code) - 32)
      }
    }
  }
}

/// One scale in single precision, and behind the codes sums of 16, which nothing is decoded from.
func decodeQ8K(_ x: Span<UInt8>, _ y: inout Numbers) {
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 292, block * 256)
    let scale = Float(bitPattern: x.bits32(b))
    for i in 0..<256 { y[n + i] = scale * x.signed(b + 4 + i) }
  }
}
