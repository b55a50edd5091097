#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `text` with everything that could act on a terminal, or hide, made visible.
///
/// Escaped as `\u{…}`: control characters (C0, DEL, C1), line and paragraph separators, and the
/// bidirectional and other invisible format characters. Names in files are anybody's.
public func escaped(_ text: String) -> String {
  if isPlain(text) { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    if isHidden(scalar) {
      result += "\\u{\(String(scalar.value, radix: 16))}"
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// A text of at most about `limit` characters, of which the middle is left out if it is longer: names in
/// files can have millions.
public func abridged(_ text: String, to limit: Int) -> String {
  let scalars = text.unicodeScalars
  // A scalar takes one byte at least.
  guard text.utf8.count > limit, scalars.count > limit else { return text }
  let half = limit / 2
  return String(scalars.prefix(half)) + "[\(scalars.count - 2 * half) characters]"
    + String(scalars.suffix(half))
}

/// A JSON text with the same characters, beyond those that JSON itself escapes, as `\uXXXX`.
func escapedForJSON(_ text: String) -> String {
  if text.utf8.allSatisfy({ $0 < 0x7F }) { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    // What is below stands between values; in strings json-c has escaped it.
    guard scalar.value >= 0x20, isHidden(scalar) else {
      result.unicodeScalars.append(scalar)
      continue
    }
    for unit in String(scalar).utf16 {
      let digits = String(unit, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
  }
  return result
}

/// Whether a text has nothing but printable ASCII, as nearly all have.
private func isPlain(_ text: String) -> Bool {
  text.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
}

/// Whether a scalar acts on a terminal, or is not seen there.
private func isHidden(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: true
  default: false
  }
}

/// The operating system's words for an error number.
public func systemMessage(_ number: Int32) -> String {
  guard let text = unsafe strerror(number) else { return "error \(number)" }
  return unsafe String(cString: text)
}

/// Text that means itself in XML 1.0 and HTML, in attributes too. Characters that XML cannot hold, or
/// that act on a terminal, become `\u{1b}`.
public func markup(_ text: String) -> String {
  var result = ""
  for scalar in escaped(text).unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "\u{FFFE}", "\u{FFFF}": result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
