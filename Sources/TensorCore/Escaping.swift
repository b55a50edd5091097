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
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// The operating system's words for an error number.
public func systemMessage(_ number: Int32) -> String {
  guard let text = unsafe strerror(number) else { return "error \(number)" }
  return unsafe String(cString: text)
}
