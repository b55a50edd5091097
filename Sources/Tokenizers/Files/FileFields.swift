import TensorCore

/// An object of a tokenizer's file, and where it stands in it, for what is said of its faults.
struct FileFields {
  let value: JSONValue
  let place: String
  /// The most steps of a list.
  private static let longestList = 64

  init(_ value: JSONValue, _ place: String) {
    self.value = value
    self.place = place
  }

  /// What kind of step it is.
  var type: String? { value["type"]?.string }

  func fault(_ key: String, _ reason: String) -> CheckpointError {
    CheckpointError(.malformed("\(place).\(key) \(reason)"))
  }

  /// What is not known here.
  func unsupported(_ what: String) -> CheckpointError {
    CheckpointError(.unsupported("\(place): \(what) is not known here"))
  }

  /// The value of a key, if it is there and not null.
  private func optional(_ key: String) -> JSONValue? {
    guard let value = value[key], value != .null else { return nil }
    return value
  }

  func bool(_ key: String, _ fallback: Bool? = nil) throws(CheckpointError) -> Bool {
    guard let value = optional(key) else {
      if let fallback { return fallback }
      throw fault(key, "is missing")
    }
    guard let bool = value.bool else { throw fault(key, "is neither true nor false") }
    return bool
  }

  func string(_ key: String, _ fallback: String? = nil) throws(CheckpointError) -> String {
    guard let value = optional(key) else {
      if let fallback { return fallback }
      throw fault(key, "is missing")
    }
    guard let text = value.string else { throw fault(key, "is no text") }
    return text
  }

  /// A number from 0.
  func count(_ key: String, _ fallback: Int? = nil) throws(CheckpointError) -> Int {
    guard let value = optional(key) else {
      if let fallback { return fallback }
      throw fault(key, "is missing")
    }
    guard let number = value.int, (0...Int(Int32.max)).contains(number) else {
      throw fault(key, "is no number from 0 to \(Int32.max)")
    }
    return number
  }

  /// One character.
  func character(_ key: String, _ fallback: String? = nil) throws(CheckpointError) -> UInt32 {
    let text = try string(key, fallback).unicodeScalars
    guard text.count == 1, let only = text.first else { throw fault(key, "is not one character") }
    return only.value
  }

  /// The objects of a list of steps.
  func list(_ key: String) throws(CheckpointError) -> [FileFields] {
    guard let elements = optional(key)?.elements else { throw fault(key, "is no list") }
    guard elements.count <= Self.longestList else {
      throw CheckpointError(
        .limitExceeded(
          "the number of steps in \(place).\(key)", limit: Self.longestList, found: elements.count))
    }
    return elements.enumerated().map { FileFields($0.element, "\(place).\(key)[\($0.offset)]") }
  }

  /// The object of a key.
  func object(_ key: String) throws(CheckpointError) -> FileFields {
    guard let value = optional(key), value.members != nil else { throw fault(key, "is no object") }
    return FileFields(value, "\(place).\(key)")
  }

  /// A pattern: a text that is looked for as it is, or an expression.
  func pattern(_ key: String = "pattern") throws(CheckpointError) -> Pattern {
    let pattern = try object(key)
    do {
      if let text = pattern.value["String"]?.string { return try Pattern(text: text) }
      if let expression = pattern.value["Regex"]?.string { return try Pattern(expression) }
    } catch {
      var error = error
      if case .unsupported(let text) = error.problem {
        error.problem = .unsupported("\(place): \(text) is not known here")
      }
      throw error
    }
    throw fault(key, "is neither a String nor a Regex")
  }
}
