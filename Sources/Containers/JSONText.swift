/// `text` as a JSON string, quotes included, as serde_json and Python's `json` write it.
///
/// The short escapes where JSON has them, `\u00xx` for other control characters. With `ascii`, as
/// Python does by default, everything beyond printable ASCII becomes `\uxxxx`.
func jsonString(_ text: String, ascii: Bool = false) -> String {
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

private func unicodeEscape(_ unit: UInt16) -> String {
  let digits = String(unit, radix: 16)
  return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
}

extension Metadata {
  /// The pairs as a compact JSON object.
  var json: String {
    "{" + entries.map { jsonString($0.key) + ":" + jsonString($0.value) }.joined(separator: ",")
      + "}"
  }
}
