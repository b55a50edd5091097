/// A number of JSON as serde_json reads it, whose sums of scores tokenizers compares: as many leading digits as
/// 64 bits hold, times or through a power of ten, each rounded, which may be an ulp from the nearest number.
///
/// - Returns: `nil` if it is no finite number.
func serdeNumber(_ text: ArraySlice<UInt8>) -> Double? {
  var digits = text
  let isNegative = digits.first == UInt8(ascii: "-")
  if isNegative { digits.removeFirst() }
  var (significand, exponent, isFull) = (UInt64(0), 0, false)
  func take(_ byte: UInt8) -> Bool {
    guard !isFull, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return false }
    let (product, isTooLarge) = significand.multipliedReportingOverflow(by: 10)
    let (sum, overflows) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
    isFull = isTooLarge || overflows
    if !isFull { significand = sum }
    return !isFull
  }
  var isFraction = false
  var index = digits.startIndex
  while index < digits.endIndex {
    let byte = digits[index]
    index += 1
    if byte == UInt8(ascii: ".") {
      isFraction = true
    } else if byte | 0x20 == UInt8(ascii: "e") {
      guard let power = Int32(String(decoding: digits[index...], as: UTF8.self)) else { return nil }
      exponent += Int(power)
      break
    } else if take(byte) {
      if isFraction { exponent -= 1 }
    } else {
      // A digit beyond those that fit.
      guard isFull else { return nil }
      if !isFraction { exponent += 1 }
    }
  }
  var number = Double(significand)
  while exponent < -308, number != 0 {
    number /= 1e308
    exponent += 308
  }
  guard number != 0 else { return isNegative ? -0.0 : 0 }
  guard exponent <= 308 else { return nil }
  number = exponent < 0 ? number / powerOfTen(-exponent) : number * powerOfTen(exponent)
  return number.isFinite ? (isNegative ? -number : number) : nil
}

/// The double nearest to a power of ten, 0 to 308.
private func powerOfTen(_ exponent: Int) -> Double { Double("1e\(exponent)") ?? .infinity }
