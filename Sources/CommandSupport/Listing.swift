public import TensorCore

/// Writes lines to standard output, a bounded number at a time: there may be half a million.
public func standardOutput(lines: some Sequence<String>) {
  var text = ""
  for line in lines {
    text += line
    text += "\n"
    if text.utf8.count > 1 << 16 {
      standardOutput(text, terminator: "")
      text = ""
    }
  }
  standardOutput(text, terminator: "")
}

/// Writes a JSON report that is one list: what `JSONValue.text(pretty:)` of the whole would be, with
/// no more than a row of it in memory.
///
/// - Parameters:
///   - schema: the value of `schema`.
///   - key: what the list is called.
///   - rows: its elements.
public func standardOutput(
  _ schema: String, listing key: String, _ rows: some Sequence<JSONValue>
) {
  let empty = JSONValue.object([
    JSONValue.Member("schema", .string(schema)), JSONValue.Member(key, .array([])),
  ]).text(pretty: true)
  // The empty list is written as "[", a new line, and "]".
  let end = "\n  ]\n}"
  precondition(empty.hasSuffix(end))
  let head = String(empty.dropLast(end.count))
  var isFirst = true
  let lines = rows.lazy.map { row -> String in
    let text = row.text(pretty: true).split(separator: "\n").map { "    " + $0 }
    defer { isFirst = false }
    return (isFirst ? "" : ",\n") + text.joined(separator: "\n")
  }
  standardOutput(head)
  var text = ""
  for line in lines {
    text += line
    if text.utf8.count > 1 << 16 {
      standardOutput(text, terminator: "")
      text = ""
    }
  }
  standardOutput(text + end)
}
