// Blocks of codes of four bits that stand for one of sixteen values: ggml-quants.c, `dequantize_row_iq4_nl`,
// `iq4_xs`, `mxfp4`, `nvfp4`.

/// The values of IQ4_NL and IQ4_XS, closer together near zero.
private let unevenValues: [Float] = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
]

/// Twice the values of E2M1 (OCP, "Microscaling Formats (MX) Specification", v1.0, §5.3.3).
private let doubledE2M1: [Float] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]

func decodeIQ4NL(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = unevenValues.span
  for block in 0..<y.count / 32 {
    let (b, n) = (block * 18, block * 32)
    let scale = x.half(b)
    for i in 0..<16 {
      let code = x[b + 2 + i]
      y[n + i] = scale * values[Int(code & 0xF)]
      y[n + 16 + i] = scale * values[Int(code >> 4)]
    }
  }
}

/// Eight groups of 32, each with a scale of six bits.
func decodeIQ4XS(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = unevenValues.span
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 136, block * 256)
    let (scale, high) = (x.half(b), x.bits16(b + 2))
    for group in 0..<8 {
      let low = x[b + 4 + group / 2] >> (group.isMultiple(of: 2) ? 0 : 4) & 0xF
      let top = UInt8(truncatingIfNeeded: high >> UInt16(group * 2) & 3)
      let d = scale * Float(Int(low | top << 4) - 32)
      let first = n + group * 32
      for i in 0..<16 {
        let code = x[b + 8 + group * 16 + i]
        y[first + i] = d * values[Int(code & 0xF)]
        y[first + 16 + i] = d * values[Int(code >> 4)]
      }
    }
  }
}

/// The scale is a power of two, E8M0, here half of it.
func decodeMXFP4(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = doubledE2M1.span
  for block in 0..<y.count / 32 {
    let (b, n) = (block * 17, block * 32)
    let exponent = UInt32(x[b])
    let half: UInt32 = exponent < 2 ? 0x0020_0000 << exponent : (exponent - 1) << 23
    let scale = Float(bitPattern: half)
    for i in 0..<16 {
      let code = x[b + 1 + i]
      y[n + i] = scale * values[Int(code & 0xF)]
      y[n + 16 + i] = scale * values[Int(code >> 4)]
    }
  }
}

/// Four groups of 16, each with a scale in E4M3 without a sign.
func decodeNVFP4(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = doubledE2M1.span
  for block in 0..<y.count / 64 {
    let (b, n) = (block * 36, block * 64)
    for group in 0..<4 {
      let scale = halfOfE4M3(x[b + group])
      let first = n + group * 16
      for i in 0..<8 {
        let code = x[b + 4 + group * 8 + i]
        y[first + i] = scale * values[Int(code & 0xF)]
        y[first + 8 + i] = scale * values[Int(code >> 4)]
      }
    }
  }
}

/// Half of an E4M3 number whose sign is not looked at; what would be NaN is 0 in ggml.
private func halfOfE4M3(_ code: UInt8) -> Float {
  if code == 0 || code == 0x7F { return 0 }
  let (exponent, mantissa) = (Int(code >> 3) & 0xF, Float(code & 7))
  let unit = Float(sign: .plus, exponent: (exponent == 0 ? 1 : exponent) - 8, significand: 1)
  return (exponent == 0 ? mantissa / 8 : 1 + mantissa / 8) * unit
}
