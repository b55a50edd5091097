/// A checked JSON text with every character beyond U+FFFF that is escaped as a pair of surrogates in
/// UTF-8 instead. json-c 0.16 takes a pair for a lone surrogate, and puts U+FFFD in its place, if the
/// lower half of the character's number looks like one: U+1D800, U+10DCFF.
func joiningSurrogates(_ text: [UInt8]) -> [UInt8] {
  let backslash = UInt8(ascii: "\\")
  guard var next = text.firstIndex(of: backslash) else { return text }
  var result = Array(text[..<next])
  result.reserveCapacity(text.count)
  while next < text.count {
    guard text[next] == backslash else {
      result.append(text[next])
      next += 1
      continue
    }
    if let high = codeUnit(text, at: next), UTF16.isLeadSurrogate(high),
      let low = codeUnit(text, at: next + 6), UTF16.isTrailSurrogate(low)
    {
      result += String(decoding: [high, low], as: UTF16.self).utf8
      next += 12
    } else {
      // The character after a backslash is never the first of another escape.
      result += text[next..<min(next + 2, text.count)]
      next += 2
    }
  }
  return result
}

/// The code unit that `\uXXXX` at `start` stands for, if it is there.
private func codeUnit(_ text: [UInt8], at start: Int) -> UInt16? {
  guard start + 6 <= text.count, text[start] == UInt8(ascii: "\\"),
    text[start + 1] == UInt8(ascii: "u")
  else { return nil }
  return UInt16(String(decoding: text[start + 2..<start + 6], as: UTF8.self), radix: 16)
}
