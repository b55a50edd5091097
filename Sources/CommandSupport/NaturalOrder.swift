/// Whether one name comes before another when runs of digits count as numbers: `h.2` before `h.10`.
public func isNaturallyBefore(_ a: String, _ b: String) -> Bool {
  let (left, right) = (parts(of: a), parts(of: b))
  for (x, y) in zip(left, right) where x != y {
    guard let m = x.number, let n = y.number else { return x.text < y.text }
    return m.count == n.count ? m.lexicographicallyPrecedes(n) : m.count < n.count
  }
  return left.count < right.count
}

/// A run of digits, or of anything else.
private struct Part: Equatable {
  let text: [UInt8]
  let isNumber: Bool

  /// The digits without leading zeros.
  var number: ArraySlice<UInt8>? { isNumber ? text.drop { $0 == UInt8(ascii: "0") } : nil }

  static func == (a: Part, b: Part) -> Bool { a.text == b.text }
}

extension [UInt8] {
  fileprivate static func < (a: [UInt8], b: [UInt8]) -> Bool { a.lexicographicallyPrecedes(b) }
}

private func parts(of name: String) -> [Part] {
  var parts: [Part] = []
  for byte in name.utf8 {
    let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    if let last = parts.last, last.isNumber == isDigit {
      parts[parts.count - 1] = Part(text: last.text + [byte], isNumber: isDigit)
    } else {
      parts.append(Part(text: [byte], isNumber: isDigit))
    }
  }
  return parts
}
