import TensorCore

/// The number that each code of 4 bits stands for, in the type E2M1.
let numbersOfE2M1: [Float] = numbers(of: .f4, count: 16)

/// The number that each code of 6 bits stands for, in the type E2M3: eighths up to 7/8, and from 1 on.
let numbersOfE2M3: [Float] = (0..<64).map { code in
  let (exponent, eighths) = (code >> 3 & 3, Float(code & 7) / 8)
  let magnitude = exponent == 0 ? eighths : (1 + eighths) * Float(1 << (exponent - 1))
  return code < 32 ? magnitude : -magnitude
}

/// The number that each code of 8 bits stands for, in the type E4M3.
let numbersOfE4M3: [Float] = numbers(of: .f8e4m3, count: 256)

private func numbers(of dtype: DType, count: Int) -> [Float] {
  (0..<count).map { code in
    if case .single(let value) = dtype.element(at: 0, of: [UInt8(code)]) { value } else { .nan }
  }
}

/// The power of two of a scale of 8 bits. The greatest, 2^128, is infinite in single precision, and no mark for what is no number.
func powerOfTwo(_ scale: UInt8) -> Float {
  Float(sign: .plus, exponent: Int(scale) - 127, significand: 1)
}

extension DType {
  /// Numbers as this type has them.
  func rounded(_ numbers: [Float]) -> [Float] {
    if self == .f32 { return numbers }
    var bytes = [UInt8](repeating: 0, count: byteCount(of: numbers.count))
    var span = bytes.mutableSpan
    var target = unsafe span.mutableBytes
    round(numbers.span, into: &target)
    var rounded = [Float](repeating: 0, count: numbers.count)
    var widened = rounded.mutableSpan
    widen(unsafe bytes.span.bytes, into: &widened)
    return rounded
  }
}
