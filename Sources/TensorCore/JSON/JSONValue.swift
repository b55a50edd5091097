internal import CJSON

/// A JSON value. Objects keep their order.
public enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// A member of an object.
  public struct Member: Equatable, Sendable {
    /// The key.
    public let key: String
    /// The value.
    public let value: JSONValue

    /// Makes a member.
    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// The member of that name, if this is an object that has it.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  /// The members, if this is an object.
  public var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }

  /// The elements, if this is an array.
  public var elements: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// The text, if this is a string.
  public var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The truth value, if this is one.
  public var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The number, if this is an integer that fits `Int`.
  public var int: Int? {
    switch self {
    case .int(let value): Int(exactly: value)
    case .uint(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The number, if this is one.
  public var double: Double? {
    switch self {
    case .int(let value): Double(value)
    case .uint(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }
}

// MARK: Building, for reports

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral text: String) { self = .string(text) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral members: (String, JSONValue)...) {
    self = .object(members.map { Member($0.0, $0.1) })
  }

  /// An integer.
  public static func number(_ value: Int) -> JSONValue { .int(Int64(value)) }

  /// A number; what JSON cannot say (NaN, infinities) becomes a string.
  public static func number(_ value: Double) -> JSONValue {
    if value.isFinite { return .double(value) }
    return .string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
  }
}

// MARK: Parsing

extension JSONValue {
  /// Parses a JSON text, after `JSONScanner` found nothing to object to.
  ///
  /// - Throws: `JSONError` for the first fault.
  public init(parsing bytes: [UInt8], grammar: JSONScanner.Grammar) throws(JSONError) {
    var bytes = bytes
    // json-c would saturate integers beyond 64 bits; with an exponent they are real numbers to it.
    for end in try JSONScanner.check(bytes, grammar: grammar).reversed() {
      bytes.insert(contentsOf: "e0".utf8, at: end)
    }
    self = try JSONValue(parsingChecked: bytes)
  }

  /// Parses a JSON text that `JSONScanner` has checked already.
  ///
  /// - Throws: `JSONError` if json-c cannot take it all the same.
  public init(parsingChecked bytes: [UInt8]) throws(JSONError) {
    // json-c takes the length as a 32-bit int.
    guard bytes.count < Int(Int32.max) else {
      throw JSONError(reason: "the text is larger than 2 GiB", offset: 0)
    }
    let depth = Int32(JSONScanner.maximumDepth + 2)
    guard let tokener = unsafe json_tokener_new_ex(depth) else {
      throw JSONError(reason: "out of memory", offset: 0)
    }
    defer { unsafe json_tokener_free(tokener) }
    // The terminating NUL tells json-c that a number at the end is complete.
    let text = joiningSurrogates(bytes) + [0]
    let root = unsafe text.withUnsafeBytes { buffer in
      unsafe json_tokener_parse_ex(
        tokener, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(text.count))
    }
    defer { _ = unsafe json_object_put(root) }
    guard unsafe json_tokener_get_error(tokener) == json_tokener_success else {
      let offset = unsafe json_tokener_get_parse_end(tokener)
      throw JSONError(reason: "json-c cannot read it", offset: offset)
    }
    self = try unsafe JSONValue(copying: root)
  }

  private init(copying node: OpaquePointer?) throws(JSONError) {
    switch unsafe json_object_get_type(node) {
    case json_type_boolean: self = .bool(unsafe json_object_get_boolean(node) != 0)
    case json_type_double: self = .double(unsafe json_object_get_double(node))
    case json_type_int:
      let value = unsafe json_object_get_int64(node)
      let unsigned = unsafe json_object_get_uint64(node)
      self = value == .max && unsigned > UInt64(Int64.max) ? .uint(unsigned) : .int(value)
    case json_type_string: self = .string(try unsafe Self.text(of: node))
    case json_type_array:
      var elements: [JSONValue] = []
      for index in 0..<(unsafe json_object_array_length(node)) {
        elements.append(try unsafe JSONValue(copying: json_object_array_get_idx(node, index)))
      }
      self = .array(elements)
    case json_type_object: self = .object(try unsafe Self.members(of: node))
    default: self = .null
    }
  }

  private static func text(of node: OpaquePointer?) throws(JSONError) -> String {
    let count = Int(unsafe json_object_get_string_len(node))
    guard let start = unsafe json_object_get_string(node) else { return "" }
    return unsafe String(
      decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
  }

  private static func members(of node: OpaquePointer?) throws(JSONError) -> [Member] {
    var members: [Member] = []
    var iterator = unsafe json_object_iter_begin(node)
    var end = unsafe json_object_iter_end(node)
    while unsafe json_object_iter_equal(&iterator, &end) == 0 {
      if let name = unsafe json_object_iter_peek_name(&iterator) {
        let value = try unsafe JSONValue(copying: json_object_iter_peek_value(&iterator))
        members.append(Member(unsafe String(cString: name), value))
      }
      unsafe json_object_iter_next(&iterator)
    }
    return members
  }
}

// MARK: Writing

extension JSONValue {
  /// The value as JSON text: compact, or indented by two spaces.
  public func text(pretty: Bool = false) -> String {
    let node = unsafe makeNode()
    defer { _ = unsafe json_object_put(node) }
    var flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE
    if pretty { flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED }
    guard let text = unsafe json_object_to_json_string_ext(node, flags) else { return "null" }
    return escapedForJSON(unsafe String(cString: text))
  }

  private func makeNode() -> OpaquePointer? {
    switch self {
    case .null: return nil
    case .bool(let value): return unsafe json_object_new_boolean(value ? 1 : 0)
    case .int(let value): return unsafe json_object_new_int64(value)
    case .uint(let value): return unsafe json_object_new_uint64(value)
    case .double(let value):
      // The shortest text that reads back as the same number.
      return unsafe json_object_new_double_s(value, "\(value)")
    case .string(let text):
      return unsafe json_object_new_string_len(text, Int32(text.utf8.count))
    case .array(let elements):
      let node = unsafe json_object_new_array()
      for element in elements { _ = unsafe json_object_array_add(node, element.makeNode()) }
      return unsafe node
    case .object(let members):
      let node = unsafe json_object_new_object()
      for member in members {
        _ = unsafe json_object_object_add(node, member.key, member.value.makeNode())
      }
      return unsafe node
    }
  }
}
