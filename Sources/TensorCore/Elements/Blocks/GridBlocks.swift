// Blocks whose codes choose eight (or four) values at once out of a table, the grid: ggml-quants.c,
// `dequantize_row_iq1_s` to `dequantize_row_iq3_s`. The grids are in Grids.swift.

/// Seven signs in a code, the eighth such that their number is even.
@inline(__always) private func signs(_ code: UInt32) -> UInt8 {
  let bits = UInt8(truncatingIfNeeded: code & 0x7F)
  return bits | UInt8(truncatingIfNeeded: bits.nonzeroBitCount & 1) << 7
}

/// `scale` times values of a grid, with the signs that the bits say.
@inline(__always)
private func fill(
  _ y: inout Numbers, _ place: Int, _ scale: Float, _ grid: Span<Float>, _ index: Int,
  _ signs: UInt8, width: Int = 8
) {
  for i in 0..<width {
    let value = scale * grid[index * width + i]
    y[place + i] = signs >> UInt8(truncatingIfNeeded: i) & 1 == 1 ? -value : value
  }
}

func decodeIQ2XXS(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = Grid.iq2xxs
  let grid = values.span
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 66, block * 256)
    let scale = x.half(b)
    for group in 0..<8 {
      let start = b + 2 + group * 8
      let bits = x.bits32(start + 4)
      let d = scale * (0.5 + Float(bits >> 28)) * 0.25
      for part in 0..<4 {
        let chosen = signs(bits >> UInt32(7 * part))
        fill(&y, n + group * 32 + part * 8, d, grid, Int(x[start + part]), chosen)
      }
    }
  }
}

func decodeIQ2XS(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = Grid.iq2xs
  let grid = values.span
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 74, block * 256)
    let scale = x.half(b)
    for eight in 0..<32 {
      let code = x.bits16(b + 2 + eight * 2)
      let d = scale * (0.5 + fourBits(x, b + 66, eight / 2)) * 0.25
      fill(&y, n + eight * 8, d, grid, Int(code & 511), signs(UInt32(code >> 9)))
    }
  }
}

/// Four bits of a byte that has two such numbers.
@inline(__always) private func fourBits(_ x: Span<UInt8>, _ start: Int, _ index: Int) -> Float {
  Float(x[start + index / 2] >> (index.isMultiple(of: 2) ? 0 : 4) & 0xF)
}

func decodeIQ2S(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = Grid.iq2s
  let grid = values.span
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 82, block * 256)
    let scale = x.half(b)
    for eight in 0..<32 {
      let high = Int(x[b + 66 + eight / 4] >> UInt8(eight % 4 * 2) & 3) << 8
      let d = scale * (0.5 + fourBits(x, b + 74, eight / 2)) * 0.25
      fill(&y, n + eight * 8, d, grid, Int(x[b + 2 + eight]) | high, x[b + 34 + eight])
    }
  }
}

func decodeIQ3XXS(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = Grid.iq3xxs
  let grid = values.span
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 98, block * 256)
    let scale = x.half(b)
    for group in 0..<8 {
      let bits = x.bits32(b + 66 + group * 4)
      let d = scale * (0.5 + Float(bits >> 28)) * 0.5
      for four in 0..<8 {
        let chosen = signs(bits >> UInt32(four / 2 * 7)) >> UInt8(four % 2 * 4)
        let place = group * 8 + four
        fill(&y, n + place * 4, d, grid, Int(x[b + 2 + place]), chosen, width: 4)
      }
    }
  }
}

func decodeIQ3S(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = Grid.iq3s
  let grid = values.span
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 110, block * 256)
    let scale = x.half(b)
    for four in 0..<64 {
      let high = Int(x[b + 66 + four / 8] >> UInt8(four % 8) & 1) << 8
      let d = scale * (1 + 2 * fourBits(x, b + 106, four / 8))
      let chosen = x[b + 74 + four / 2] >> UInt8(four % 2 * 4)
      fill(&y, n + four * 4, d, grid, Int(x[b + 2 + four]) | high, chosen, width: 4)
    }
  }
}

/// What is added to the values of IQ1_S and IQ1_M, or taken away.
private let shift: Float = 0.125

func decodeIQ1S(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = Grid.iq1s
  let grid = values.span
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 50, block * 256)
    let scale = x.half(b)
    for group in 0..<8 {
      let bits = x.bits16(b + 34 + group * 2)
      let d = scale * Float(2 * (bits >> 12 & 7) + 1)
      let delta = bits & 0x8000 == 0 ? shift : -shift
      for part in 0..<4 {
        let index = Int(x[b + 2 + group * 4 + part]) | Int(bits >> UInt16(3 * part) & 7) << 8
        for i in 0..<8 { y[n + group * 32 + part * 8 + i] = d * (grid[index * 8 + i] + delta) }
      }
    }
  }
}

/// The scale of the whole block is in the upper four bits of four numbers that have three of a group's each.
func decodeIQ1M(_ x: Span<UInt8>, _ y: inout Numbers) {
  let values = Grid.iq1s
  let grid = values.span
  for block in 0..<y.count / 256 {
    let (b, n) = (block * 56, block * 256)
    var whole: UInt16 = 0
    for i in 0..<4 { whole |= (x.bits16(b + 48 + i * 2) >> 12) << UInt16(4 * i) }
    let scale = widenedHalf(whole)
    for eight in 0..<32 {
      let group = eight / 2
      let bits = x.bits16(b + 48 + group / 4 * 2) >> UInt16(group % 4 * 3) & 7
      let d = scale * Float(2 * bits + 1)
      let code = x[b + 32 + eight / 2] >> (eight.isMultiple(of: 2) ? 0 : 4)
      let delta = code & 8 == 0 ? shift : -shift
      let index = Int(x[b + eight]) | Int(code & 7) << 8
      for i in 0..<8 { y[n + eight * 8 + i] = d * (grid[index * 8 + i] + delta) }
    }
  }
}
