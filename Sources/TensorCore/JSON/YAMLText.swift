extension JSONValue {
  /// The value as a YAML document: an object a member a line, what is inside of it as in JSON.
  ///
  /// JSON is YAML but for one thing, since readers of YAML 1.1 take a number with an exponent and no point for a
  /// text (yaml.org/type/float.html).
  package var yamlDocument: String {
    guard case .object(let members) = self, !members.isEmpty else { return yaml + "\n" }
    return members.map { "\($0.key): \($0.value.yaml)\n" }.joined()
  }

  private var yaml: String {
    switch self {
    case .double(let value):
      let text = "\(value)"
      return text.utf8.contains(UInt8(ascii: ".")) ? text : text.replacing("e", with: ".0e")
    case .array(let elements): return "[" + elements.map(\.yaml).joined(separator: ", ") + "]"
    case .object(let members):
      let texts = members.map { JSONValue.string($0.key).text() + ": " + $0.value.yaml }
      return "{" + texts.joined(separator: ", ") + "}"
    default: return text()
    }
  }
}
