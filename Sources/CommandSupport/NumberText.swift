#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A number for people, with that many significant digits at most: `0.02134`, `-1.7e+38`.
public func describe(number: Double, digits: Int = 4) -> String {
  if number.isNaN { return "NaN" }
  if number.isInfinite { return number < 0 ? "-inf" : "inf" }
  var buffer = [CChar](repeating: 0, count: 40)
  let count = unsafe withVaList([Int32(digits), number]) { arguments in
    unsafe vsnprintf(&buffer, buffer.count, "%.*g", arguments)
  }
  return String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Bars for people, each as high as its count is large; what is not zero is seen.
public func describe(bars counts: [Int]) -> String {
  let levels: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
  let most = counts.max() ?? 0
  return String(
    counts.map { count -> Character in
      if count == 0 { return " " }
      return levels[min(7, Int(Double(count) / Double(most) * 8))]
    })
}
