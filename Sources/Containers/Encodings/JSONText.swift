/// `text` as a JSON string, quotes included, as serde_json and Python's `json` write it.
///
/// The short escapes where JSON has them, `\u00xx` for other control characters. With `ascii`, as
/// Python does by default, everything beyond printable ASCII becomes `\uxxxx`.
func jsonString(_ text: String, ascii: Bool = false) -> String {
  if isPlain(text) { return "\"" + text + "\"" }
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\u{8}": result += "\\b"
    case "\u{C}": result += "\\f"
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case "\u{0}"..<" ": result += unicodeEscape(UInt16(scalar.value))
    case _ where ascii && scalar.value > 0x7E:
      for unit in String(scalar).utf16 { result += unicodeEscape(unit) }
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

/// Whether a text is printable ASCII without anything that JSON escapes.
private func isPlain(_ text: String) -> Bool {
  text.utf8.allSatisfy { byte in
    (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }
}

private func unicodeEscape(_ unit: UInt16) -> String {
  let digits = String(unit, radix: 16)
  return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
}

extension Metadata {
  /// The pairs as a compact JSON object.
  var json: [UInt8] {
    var text: [UInt8] = []
    appendJSON(to: &text)
    return text
  }

  /// Appends the pairs as a compact JSON object, without a second copy of it.
  ///
  /// - Parameter rest: about how many bytes will be appended after it.
  func appendJSON(to text: inout [UInt8], followedBy rest: Int = 0) {
    let size = entries.reduce(64 + rest) { $0 + $1.key.utf8.count + $1.value.utf8.count + 6 }
    text.reserveCapacity(text.count + size)
    text.append(UInt8(ascii: "{"))
    for (number, entry) in entries.enumerated() {
      if number > 0 { text.append(UInt8(ascii: ",")) }
      appendString(entry.key, to: &text)
      text.append(UInt8(ascii: ":"))
      appendString(entry.value, to: &text)
    }
    text.append(UInt8(ascii: "}"))
  }
}

private func appendString(_ string: String, to text: inout [UInt8]) {
  guard isPlain(string) else {
    text += jsonString(string).utf8
    return
  }
  text.append(UInt8(ascii: "\""))
  text += string.utf8
  text.append(UInt8(ascii: "\""))
}
