public import TensorCore

/// A JSON Schema (draft 2020-12), as far as those in docs/schemas use it: a keyword that is not known is a fault.
public struct JSONSchema: Sendable {
  private let root: JSONValue

  /// Takes a schema.
  public init(_ root: JSONValue) { self.root = root }

  /// What in a value is not as the schema says, each with the way to it.
  public func faults(in value: JSONValue) -> [String] { faults(value, root, "") }

  private func faults(_ value: JSONValue, _ schema: JSONValue, _ place: String) -> [String] {
    if let isAllowed = schema.bool { return isAllowed ? [] : ["\(place) must not be there"] }
    return (schema.members ?? []).flatMap { keyword in
      self.faults(value, schema, keyword.key, keyword.value, place)
    }
  }

  private func faults(
    _ value: JSONValue, _ schema: JSONValue, _ keyword: String, _ rule: JSONValue, _ place: String
  ) -> [String] {
    switch keyword {
    case "$schema", "title", "$defs",
      "required" where value.members == nil:
      return []
    case "$ref":
      let name = rule.string.map { String($0.dropFirst("#/$defs/".count)) } ?? ""
      guard let target = root["$defs"]?[name] else { return ["no schema is called \(name)"] }
      return faults(value, target, place)
    case "anyOf":
      let all = (rule.elements ?? []).map { faults(value, $0, place) }
      return all.contains([]) ? [] : ["\(place) is none of \(all.count): \(all)"]
    case "const": return value == rule ? [] : ["\(place) is not \(rule.text())"]
    case "enum":
      return rule.elements?.contains(value) == true ? [] : ["\(place) is none of \(rule.text())"]
    case "type":
      return rule.string == "number" && isNumber(value) || rule.string == type(of: value)
        ? [] : ["\(place) is no \(rule.text())"]
    case "minimum":
      if let number = value.int, let least = rule.int, number < least {
        return ["\(place) is less than \(least)"]
      }
      return []
    case "pattern":
      // The only one that there is: digests.
      let isDigest =
        value.string?.utf8.count == 64
        && value.string?.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) } == true
      return rule.string == "^[0-9a-f]{64}$" && isDigest ? [] : ["\(place) is no digest"]
    case "items":
      return (value.elements ?? []).enumerated().flatMap {
        faults($0.element, rule, "\(place)/\($0.offset)")
      }
    case "minItems", "maxItems":
      guard let count = value.elements?.count, let limit = rule.int else { return [] }
      let isWithin = keyword == "minItems" ? count >= limit : count <= limit
      return isWithin ? [] : ["\(place) has \(count) elements"]
    case "required":
      return (rule.elements ?? []).compactMap(\.string).filter { value[$0] == nil }
        .map { "\(place)/\($0) is missing" }
    case "properties":
      return (rule.members ?? []).flatMap { member in
        value[member.key].map { faults($0, member.value, "\(place)/\(member.key)") } ?? []
      }
    case "additionalProperties":
      let known = Set((schema["properties"]?.members ?? []).map(\.key))
      return (value.members ?? []).filter { !known.contains($0.key) }.flatMap {
        faults($0.value, rule, "\(place)/\($0.key)")
      }
    default: return ["the keyword \(keyword) is not known"]
    }
  }

  private func isNumber(_ value: JSONValue) -> Bool {
    switch value {
    case .int, .uint, .double: true
    default: false
    }
  }

  private func type(of value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool: "boolean"
    case .int, .uint: "integer"
    case .double: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}
