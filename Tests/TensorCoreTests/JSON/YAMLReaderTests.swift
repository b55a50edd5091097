import TensorCore
import TestSupport
import Testing

/// What settings in YAML say.
@Suite struct YAMLReaderTests {
  @Test func `mappings, lists and scalars`() throws {
    let text = """
      ---
      # options
      a: 1
      b: -2.5e3
      "c d": "x\\ty"   
      e:
        - 1
        - two: 
      """
    #expect(throws: YAMLError(reason: "is a list of lists or mappings, which is not read", line: 8))
    { try JSONValue(yaml: text.utf8) }
    let value = try JSONValue(
      yaml: """
        a: 1  # one
        b: -2.5e3
        "c d": "x\\ty"
        e:
          - 1
          - 'it''s'
        f:
          g: true
          h:
            i: ~
        same:
        - v1.7: 3
        """.replacing("- v1.7: 3", with: "- v1.7:3").utf8)
    #expect(
      value == [
        "a": 1, "b": .double(-2500), "c d": "x\ty", "e": [1, "it's"],
        "f": ["g": true, "h": ["i": .null]], "same": ["v1.7:3"],
      ])
  }

  @Test(
    arguments: [
      ("a:\n  []", ["a": .array([])]), ("a: [1, \"b\" , c]", ["a": [1, "b", "c"]]),
      ("a: {}", ["a": .object([])]), ("a:", ["a": .null]), ("", .object([])),
      ("\n# x\n", .object([])),
      ("a: http://b", ["a": "http://b"]), ("a: 0x10", ["a": "0x10"]), ("a: 1.2.3", ["a": "1.2.3"]),
      ("a: 99999999999999999999", ["a": .double(1e20)]),
      ("a: b\r\nc: d\r\n", ["a": "b", "c": "d"]),
      ("a: \"\"", ["a": ""]), ("a: .", ["a": "."]), ("1: 2", ["1": 2]), ("a: b: c", ["a": "b: c"]),
    ] as [(String, JSONValue)])
  func `what programs write`(_ text: String, _ wanted: JSONValue) throws {
    #expect(try JSONValue(yaml: text.utf8) == wanted)
  }

  @Test func `what is written is read again`() throws {
    let value: JSONValue = ["a": "x: y", "b": [1, 2], "c": .double(1e-9), "d": "true", "e": false]
    #expect(try JSONValue(yaml: value.yamlDocument.utf8) == value)
  }

  @Test(arguments: [
    "a: &x 1", "a: *x", "a: !!int 1", "a: |\n  x", "a: >\n  x", "a: [1", "a: [[1]]", "a: {b: 1}",
    "a: 'x", "a: 'x'y'", "a: \"x", "a: \"x\" y", "a: 1\na: 2", "a: 1\n  b: 2", "  a: 1\nb: 2",
    "- - 1", "\ta: 1", "a: 1\nb", "a: [1,,2]", "a: @x",
  ])
  func `what is not read is said`(_ text: String) {
    #expect(throws: YAMLError.self) { try JSONValue(yaml: text.utf8) }
  }

  @Test func `no text ends the reader, and depth has an end`() {
    var deep = ""
    for level in 0..<100 { deep += String(repeating: " ", count: level) + "a:\n" }
    #expect(throws: YAMLError.self) { try JSONValue(yaml: deep.utf8) }
    #expect(throws: YAMLError.self) { try JSONValue(yaml: [0x61, 0x3A, 0x20, 0xFF]) }
    var generator = SeededGenerator(seed: 5)
    let alphabet = Array("a1: -\n'\"[]{}#,&\\\t\r~.".utf8)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0..<24, using: &generator)).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
      }
      _ = try? JSONValue(yaml: bytes)
    }
  }
}
