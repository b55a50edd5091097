import TensorCore

/// A JSON object of which every member must be expected, and every expected one there.
///
/// Errors name the place, `predicate.a.files[2].size`.
struct StrictObject {
  private let value: JSONValue
  /// The way to it from the outermost object; empty for that one.
  let path: String

  /// - Throws: `CheckpointError` if `value` is no object, lacks one of `keys`, or has other members than these
  ///   and `optional` ones, which are not null.
  init(
    _ value: JSONValue, at path: String, keys: [String], optional: [String] = []
  ) throws(CheckpointError) {
    self.value = value
    self.path = path
    guard let members = value.members else { throw Self.fault(path, "must be an object") }
    for member in members {
      let isOptional = optional.contains { $0.utf8.elementsEqual(member.key.utf8) }
      let isExpected =
        isOptional
        ? member.value != .null : keys.contains { $0.utf8.elementsEqual(member.key.utf8) }
      guard isExpected else {
        throw Self.fault(path, "has a member \"\(member.key)\" that does not belong there")
      }
    }
    for key in keys where value[key] == nil {
      throw Self.fault(path, "has no member \"\(key)\"")
    }
  }

  static func fault(_ path: String, _ text: String) -> CheckpointError {
    CheckpointError(.malformed(path.isEmpty ? text : "\(path) \(text)"))
  }

  /// The way to a member.
  func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// A fault of a member.
  func fault(_ key: String, _ text: String) -> CheckpointError { Self.fault(place(key), text) }

  subscript(key: String) -> JSONValue { value[key] ?? .null }

  func string(_ key: String) throws(CheckpointError) -> String {
    guard let text = self[key].string else { throw fault(key, "must be a string") }
    return text
  }

  /// An integer that is not negative.
  func count(_ key: String) throws(CheckpointError) -> Int {
    guard let count = self[key].int, count >= 0 else {
      throw fault(key, "must be an integer that is not negative")
    }
    return count
  }

  /// A number that is not negative; `"Infinity"` is one.
  func magnitude(_ key: String) throws(CheckpointError) -> Double {
    if self[key].string?.utf8.elementsEqual("Infinity".utf8) == true { return .infinity }
    guard let number = self[key].double, number >= 0 else {
      throw fault(key, "must be a number that is not negative")
    }
    return number
  }

  /// A SHA-256 in lower-case hexadecimal.
  func digest(_ key: String) throws(CheckpointError) -> String {
    let text = try string(key)
    let digits = Array("0123456789abcdef".utf8)
    guard text.utf8.count == 64, text.utf8.allSatisfy(digits.contains) else {
      throw fault(key, "must be 64 lower-case hexadecimal digits")
    }
    return text
  }

  /// One of the values of a type.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, _: Choice.Type
  ) throws(CheckpointError) -> Choice where Choice.RawValue == String {
    let text = try string(key)
    guard let choice = Choice.allCases.first(where: { $0.rawValue == text }) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw fault(key, "is \"\(text)\", must be one of \(known)")
    }
    return choice
  }

  /// The elements of an array, each read by `read`, which also gets its place.
  func array<Element>(
    _ key: String, _ read: (JSONValue, String) throws(CheckpointError) -> Element
  ) throws(CheckpointError) -> [Element] {
    guard let elements = self[key].elements else { throw fault(key, "must be an array") }
    var result: [Element] = []
    for (index, element) in elements.enumerated() {
      result.append(try read(element, "\(place(key))[\(index)]"))
    }
    return result
  }

  func strings(_ key: String) throws(CheckpointError) -> [String] {
    try array(key) { value, path throws(CheckpointError) in
      guard let text = value.string else { throw Self.fault(path, "must be a string") }
      return text
    }
  }
}
