/// Why a text is no YAML that is understood: a fact, and the line, counted from 1.
package struct YAMLError: Error, Equatable {
  package let reason: String
  package let line: Int

  package init(reason: String, line: Int) {
    self.reason = reason
    self.line = line
  }
}

extension JSONValue {
  /// Reads settings as programs write them in YAML (yaml.org/spec/1.2.2): mappings of a key a line, lists of an item a
  /// line or in brackets, and scalars of one line, plain or quoted. Anchors, tags, folded texts and several documents
  /// are refused.
  ///
  /// - Throws: `YAMLError` for the first line that is not understood.
  package init(yaml bytes: some Sequence<UInt8>) throws(YAMLError) {
    var reader = try YAMLReader(Array(bytes))
    self = try reader.document()
  }
}

/// The lines of a text, read from the first to the last.
private struct YAMLReader {
  private struct Line {
    let number: Int
    let indent: Int
    /// What stands behind the indentation, without the end's spaces; never empty.
    let text: Substring
  }

  private var lines: [Line] = []
  private var next = 0

  /// More than any settings have.
  private static let deepest = 16

  init(_ bytes: [UInt8]) throws(YAMLError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw YAMLError(reason: "the text is no UTF-8", line: 1)
    }
    for (number, line) in text.utf8.split(separator: 10, omittingEmptySubsequences: false)
      .enumerated()
    {
      let content = line.drop { $0 == 0x20 }
      let end = content.lastIndex { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }
      guard let end, content.first != UInt8(ascii: "#") else { continue }
      let text = Substring(content[...end])
      if text == "---", lines.isEmpty { continue }
      guard !text.hasPrefix("\t") else {
        throw YAMLError(reason: "a tab stands where only spaces may", line: number + 1)
      }
      lines.append(
        Line(
          number: number + 1, indent: line.distance(from: line.startIndex, to: content.startIndex),
          text: text))
    }
  }

  mutating func document() throws(YAMLError) -> JSONValue {
    guard let first = lines.first else { return .object([]) }
    let value = try block(indent: first.indent, depth: 0)
    if next < lines.count {
      throw YAMLError(reason: "is not indented as the lines before it", line: lines[next].number)
    }
    return value
  }

  /// What begins at the next line, which has that indentation.
  private mutating func block(indent: Int, depth: Int) throws(YAMLError) -> JSONValue {
    let line = lines[next]
    guard depth < Self.deepest else {
      throw YAMLError(reason: "is deeper than \(Self.deepest) levels", line: line.number)
    }
    if isItem(line.text) { return try list(indent: indent) }
    if keyEnd(line.text) != nil { return try mapping(indent: indent, depth: depth) }
    next += 1
    return try scalar(line.text, line.number)
  }

  private mutating func list(indent: Int) throws(YAMLError) -> JSONValue {
    var elements: [JSONValue] = []
    while next < lines.count, lines[next].indent == indent, isItem(lines[next].text) {
      let line = lines[next]
      next += 1
      let item = line.text.dropFirst().drop { $0 == " " }
      guard !isItem(item), keyEnd(item) == nil else {
        throw YAMLError(
          reason: "is a list of lists or mappings, which is not read", line: line.number)
      }
      elements.append(try scalar(item, line.number))
    }
    return .array(elements)
  }

  private mutating func mapping(indent: Int, depth: Int) throws(YAMLError) -> JSONValue {
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    while next < lines.count, lines[next].indent == indent, let end = keyEnd(lines[next].text) {
      let line = lines[next]
      next += 1
      let key = try scalar(line.text[..<end], line.number, isKey: true).string ?? ""
      guard keys.insert(key).inserted else {
        throw YAMLError(reason: "has the key \(key) again", line: line.number)
      }
      let rest = line.text[line.text.utf8.index(after: end)...].drop { $0 == " " }
      if !rest.isEmpty, !rest.hasPrefix("#") {
        members.append(.init(key, try scalar(rest, line.number)))
      } else if next < lines.count,
        lines[next].indent > indent || lines[next].indent == indent && isItem(lines[next].text)
      {
        members.append(.init(key, try block(indent: lines[next].indent, depth: depth + 1)))
      } else {
        members.append(.init(key, .null))
      }
    }
    return .object(members)
  }

  private func isItem(_ text: Substring) -> Bool { text == "-" || text.hasPrefix("- ") }

  /// Where the key of a line ends: the colon before a space or the line's end, outside of quotes.
  private func keyEnd(_ text: Substring) -> Substring.Index? {
    let bytes = text.utf8
    var start = bytes.startIndex
    if let quote = bytes.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
      guard let end = bytes.dropFirst().firstIndex(of: quote) else { return nil }
      start = bytes.index(after: end)
      guard start < bytes.endIndex, bytes[start] == UInt8(ascii: ":") else { return nil }
    } else if let first = bytes.first, first == UInt8(ascii: "[") || first == UInt8(ascii: "{") {
      return nil
    }
    return bytes[start...].indices.first { index in
      guard bytes[index] == UInt8(ascii: ":") else { return false }
      let next = bytes.index(after: index)
      return next == bytes.endIndex || bytes[next] == 0x20
    }
  }

  // MARK: Scalars

  private func scalar(
    _ text: Substring, _ line: Int, isKey: Bool = false
  ) throws(YAMLError) -> JSONValue {
    guard let first = text.utf8.first else { return .null }
    switch first {
    case UInt8(ascii: "\""): return try quoted(text, line)
    case UInt8(ascii: "'"):
      guard text.utf8.count >= 2, text.hasSuffix("'") else {
        throw YAMLError(reason: "has a quote that does not end", line: line)
      }
      let inside = text.dropFirst().dropLast()
      guard !inside.replacing("''", with: "").contains("'") else {
        throw YAMLError(reason: "goes on behind a quote", line: line)
      }
      return .string(String(inside.replacing("''", with: "'")))
    case UInt8(ascii: "["): return .array(try elements(text, line))
    case UInt8(ascii: "{"):
      guard text == "{}" else {
        throw YAMLError(reason: "has a mapping in braces, which is not read", line: line)
      }
      return .object([])
    case UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "!"), UInt8(ascii: "|"),
      UInt8(ascii: ">"), UInt8(ascii: "%"), UInt8(ascii: "@"), UInt8(ascii: "`"):
      throw YAMLError(reason: "begins with what is not read here", line: line)
    default: return isKey ? .string(String(text)) : plain(withoutComment(text))
    }
  }

  /// A text in double quotes with the escapes of JSON, which are those of YAML that programs write.
  private func quoted(_ text: Substring, _ line: Int) throws(YAMLError) -> JSONValue {
    guard let value = try? JSONValue(parsing: Array(text.utf8), grammar: .strict),
      value.string != nil
    else { throw YAMLError(reason: "has a quoted text that cannot be read", line: line) }
    return value
  }

  /// What stands in brackets: scalars without brackets or commas.
  private func elements(_ text: Substring, _ line: Int) throws(YAMLError) -> [JSONValue] {
    guard text.utf8.count >= 2, text.hasSuffix("]") else {
      throw YAMLError(reason: "has a list that does not end in its line", line: line)
    }
    let inside = text.dropFirst().dropLast()
    if inside.allSatisfy({ $0 == " " }) { return [] }
    var elements: [JSONValue] = []
    for part in inside.split(separator: ",", omittingEmptySubsequences: false) {
      let item = part.drop { $0 == " " }
      let end = item.utf8.lastIndex { $0 != 0x20 }
      guard let end, !item.hasPrefix("["), !item.contains("]") else {
        throw YAMLError(reason: "has a list that is not read", line: line)
      }
      elements.append(try scalar(item[...end], line))
    }
    return elements
  }

  private func withoutComment(_ text: Substring) -> Substring {
    let bytes = text.utf8
    let start = bytes.indices.dropFirst().first {
      bytes[$0] == UInt8(ascii: "#") && bytes[bytes.index(before: $0)] == 0x20
    }
    guard let start, let end = bytes[..<start].lastIndex(where: { $0 != 0x20 }) else { return text }
    return text[...end]
  }

  /// A plain scalar of the core schema (§10.3.2), without octal numbers and infinities, which stay texts.
  private func plain(_ text: Substring) -> JSONValue {
    switch text {
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    case "null", "Null", "NULL", "~": return .null
    default: break
    }
    let isNumber = text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0)
    }
    guard isNumber else { return .string(String(text)) }
    if let number = Int64(text) { return .int(number) }
    if let number = Double(String(text)), number.isFinite { return .double(number) }
    return .string(String(text))
  }
}
