package import TensorCore

/// A group of numbers as mlx quantises it in its mode `affine`, all in single precision.
///
/// Its programs for graphics processors round halves away from zero, and take 0 for the largest number where all are smaller. In one
/// bit the two codes are the smallest and the largest number.
///
/// Source: mlx 0.32 (`backend/cpu/quantized.cpp`, `quantize`; `backend/metal/kernels/quantized.h` and
/// `backend/cuda/quantized/affine_quantize.cu`, `affine_quantize`). One bit is as mlx 0.32.4 does it on a CPU.
package struct AffineGroup {
  package enum Program: CaseIterable {
    case processor, graphics
  }

  /// Scale and bias before they are rounded to their type.
  package let scale: Float
  package let bias: Float
  private let last: Float
  private let rule: FloatingPointRoundingRule

  /// - Parameter numbers: finite ones.
  package init(_ numbers: ArraySlice<Float>, bits: Int, by program: Program) {
    last = Float((1 << bits) - 1)
    rule = program == .processor ? .toNearestOrEven : .toNearestOrAwayFromZero
    let low = numbers.min() ?? 0
    let high = max(numbers.max() ?? 0, program == .graphics ? 0 : -.infinity)
    let step = max((high - low) / last, 1e-7)
    guard bits > 1 else {
      (scale, bias) = (step, low)
      return
    }
    let isLow = abs(low) > abs(high)
    let edge = isLow ? low : high
    let signed = isLow ? step : -step
    let place = (edge / signed).rounded(rule)
    (scale, bias) = place == 0 ? (signed, 0) : (edge / place, edge)
  }

  package func code(of number: Float) -> Int32 {
    let place = ((number - bias) / scale).rounded(rule)
    return place.isNaN ? -1 : Int32(min(max(place, 0), last))
  }
}

/// Groups of codes, as they are stored.
package struct AffineCodes {
  let codes: [Int32]
  /// Scales and biases in their type.
  let scales: [Float]
  let biases: [Float]
  let groupSize: Int
  let bits: Int
  let dtype: DType

  package init(
    codes: [Int32], scales: [Float], biases: [Float], groupSize: Int, bits: Int, dtype: DType
  ) {
    (self.codes, self.scales, self.biases) = (codes, scales, biases)
    (self.groupSize, self.bits, self.dtype) = (groupSize, bits, dtype)
  }

  /// What is not what a program makes of numbers. Of numbers that are not finite it makes nothing that is known.
  package func differences(
    from numbers: [Float], start: Int, by program: AffineGroup.Program
  ) -> RepeatedCodes {
    let groups = scales.indices.map { index -> AffineGroup? in
      let own = numbers[index * groupSize..<(index + 1) * groupSize]
      return own.allSatisfy(\.isFinite) ? AffineGroup(own, bits: bits, by: program) : nil
    }
    let expected = (
      scales: dtype.rounded(groups.map { $0?.scale ?? .nan }),
      biases: dtype.rounded(groups.map { $0?.bias ?? .nan })
    )
    let known = Set(expected.scales.map(\.bitPattern))
    var found = RepeatedCodes(elements: codes.count, groups: scales.count)
    for index in scales.indices {
      if scales[index].bitPattern != expected.scales[index].bitPattern {
        found.scales += 1
        if known.contains(scales[index].bitPattern) { found.exchanged += 1 }
      }
      if biases[index].bitPattern != expected.biases[index].bitPattern {
        found.biases += 1
        if -biases[index] == expected.biases[index] { found.negated += 1 }
      }
      for place in index * groupSize..<(index + 1) * groupSize {
        let code = groups[index]?.code(of: numbers[place]) ?? -1
        if codes[place] == code { continue }
        found.codes += 1
        found.firstCode = found.firstCode ?? start + place
        if codes[place] == code + 1 { found.larger += 1 }
        if codes[place] == code - 1 { found.smaller += 1 }
      }
    }
    return found
  }
}
