import TensorCore
import TestSupport
import Testing

/// A text that must be refused.
struct BadJSON: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  /// Words that the reason must contain.
  let reason: String
  /// Where the fault shows.
  let offset: Int

  init(_ name: String, _ text: String, _ reason: String, at offset: Int) {
    self.init(name, Array(text.utf8), reason, at: offset)
  }

  init(_ name: String, _ bytes: [UInt8], _ reason: String, at offset: Int) {
    (self.name, self.bytes, self.reason, self.offset) = (name, bytes, reason, offset)
  }

  var testDescription: String { name }
}

/// Texts that one reader or another takes, and that we refuse in every grammar.
private let attacks: [BadJSON] = [
  BadJSON("duplicate key", #"{"a":1,"a":2}"#, "duplicate key", at: 7),
  BadJSON("duplicate key in an inner object", #"{"x":[{"a":1,"a":1}]}"#, "duplicate key", at: 13),
  BadJSON("duplicate key, escaped", #"{"a":1,"\u0061":2}"#, "duplicate key", at: 7),
  BadJSON("duplicate key, solidus escaped", #"{"a/b":1,"a\/b":2}"#, "duplicate key", at: 9),
  BadJSON("duplicate key beyond the BMP", #"{"😀":1,"\ud83d\ude00":2}"#, "duplicate", at: 10),
  BadJSON("duplicate empty key", #"{"":1,"":2}"#, "duplicate key", at: 6),
  BadJSON("lone high surrogate", #"["\ud800"]"#, "lone surrogate", at: 2),
  BadJSON("lone low surrogate", #"["\udc00"]"#, "lone surrogate", at: 2),
  BadJSON("surrogates the wrong way round", #"["\udc00\ud800"]"#, "lone surrogate", at: 2),
  BadJSON("high surrogate before text", #"["\ud800x"]"#, "lone surrogate", at: 2),
  BadJSON("high surrogate before an escape", #"["\ud800\n"]"#, "lone surrogate", at: 2),
  BadJSON("two high surrogates", #"["\ud800\ud800"]"#, "lone surrogate", at: 2),
  BadJSON("lone surrogate in a key", #"{"\ud800":1}"#, "lone surrogate", at: 2),
  BadJSON("byte order mark", [0xEF, 0xBB, 0xBF] + Array("{}".utf8), "expected a value", at: 0),
  BadJSON("UTF-16", [0x7B, 0, 0x7D, 0], "expected a key", at: 1),
  BadJSON("single quotes", "{'a':1}", "expected a key", at: 1),
  BadJSON("single-quoted value", "['a']", "expected a value", at: 1),
  BadJSON("key without quotes", "{a:1}", "expected a key", at: 1),
  BadJSON("comment", "[1 /* one */]", "expected", at: 3),
  BadJSON("line comment", "[1] // one", "something follows", at: 4),
  BadJSON("trailing comma in an object", #"{"a":1,}"#, "expected a key", at: 7),
  BadJSON("trailing comma in an array", "[1,]", "expected a value", at: 3),
  BadJSON("leading comma", "[,1]", "expected a value", at: 1),
  BadJSON("missing colon", #"{"a" 1}"#, "expected \":\"", at: 5),
  BadJSON("missing comma", "[1 2]", "expected", at: 3),
  BadJSON("wrong bracket", "[1}", "expected", at: 2),
  BadJSON("second object", "{}{}", "something follows", at: 2),
  BadJSON("trailing garbage", "{} x", "something follows", at: 3),
  BadJSON("trailing NUL", [0x7B, 0x7D, 0], "something follows", at: 2),
  BadJSON("leading zero", "[01]", "starts with 0", at: 1),
  BadJSON("leading zero after minus", "[-01]", "starts with 0", at: 1),
  BadJSON("two zeros", "[00]", "starts with 0", at: 1),
  BadJSON("hexadecimal", "[0x10]", "expected", at: 2),
  BadJSON("plus sign", "[+1]", "expected a value", at: 1),
  BadJSON("lone minus", "[-]", "expected a digit", at: 2),
  BadJSON("two minus signs", "[--1]", "expected a digit", at: 2),
  BadJSON("no digit before the point", "[.5]", "expected a value", at: 1),
  BadJSON("no digit after the point", "[5.]", "expected a digit", at: 3),
  BadJSON("no digit in the exponent", "[1e]", "expected a digit", at: 3),
  BadJSON("sign without exponent", "[1e+]", "expected a digit", at: 4),
  BadJSON("fraction in the exponent", "[1e1.5]", "expected", at: 4),
  BadJSON("digit separator", "[1_000]", "expected", at: 2),
  BadJSON("capital word", "[True]", "expected a value", at: 1),
  BadJSON("Python's None", "[None]", "expected a value", at: 1),
  BadJSON("cut word", "[nul]", "expected a value", at: 1),
  BadJSON("longer word", "[nullx]", "expected", at: 5),
  BadJSON("small nan", "[nan]", "expected a value", at: 1),
  BadJSON("unknown escape", #"["\x41"]"#, "unknown escape", at: 2),
  BadJSON("escaped single quote", #"["\'"]"#, "unknown escape", at: 2),
  BadJSON("escape of three digits", #"["\u041"]"#, "hexadecimal", at: 4),
  BadJSON("escape with a sign", #"["\u+041"]"#, "hexadecimal", at: 4),
  BadJSON("newline in a string", "[\"a\nb\"]", "control character", at: 3),
  BadJSON("NUL in a string", [0x5B, 0x22, 0, 0x22, 0x5D], "control character", at: 2),
  BadJSON("non-breaking space between values", "[1,\u{A0}2]", "expected a value", at: 3),
  BadJSON("form feed between values", "[1,\u{C}2]", "expected a value", at: 3),
  BadJSON("nothing", "", "too early", at: 0),
  BadJSON("only space", " \n", "too early", at: 2),
]

/// Sequences of bytes that are not UTF-8, by the byte that is wrong.
private let brokenUTF8: [BadJSON] = [
  BadJSON("lone continuation byte", [0x80], "not valid UTF-8", at: 2),
  BadJSON("overlong slash", [0xC0, 0xAF], "not valid UTF-8", at: 2),
  BadJSON("overlong in three bytes", [0xE0, 0x80, 0xAF], "not valid UTF-8", at: 2),
  BadJSON("surrogate as bytes", [0xED, 0xA0, 0x80], "not valid UTF-8", at: 2),
  BadJSON("beyond Unicode", [0xF4, 0x90, 0x80, 0x80], "not valid UTF-8", at: 2),
  BadJSON("byte that never occurs", [0xFF], "not valid UTF-8", at: 2),
  BadJSON("cut sequence", [0xE2, 0x82], "not valid UTF-8", at: 2),
  BadJSON("overlong NUL", [0xC0, 0x80], "not valid UTF-8", at: 2),
]

private func fault(of bytes: [UInt8], _ grammar: JSONScanner.Grammar) -> JSONError? {
  do {
    try JSONScanner.check(bytes, grammar: grammar)
    return nil
  } catch {
    return error
  }
}

@Suite struct JSONScannerTests {
  @Test func `an object has a limited number of members`() {
    func object(_ count: Int) -> [UInt8] {
      Array("{\((0..<count).map { "\"\($0)\":0" }.joined(separator: ","))}".utf8)
    }
    let limit = JSONScanner.maximumMembers
    #expect(throws: Never.self) { try JSONScanner.check(object(limit), grammar: .strict) }
    #expect(throws: JSONError.self) { try JSONScanner.check(object(limit + 1), grammar: .strict) }
  }

  @Test(arguments: attacks, [JSONScanner.Grammar.strict, .python])
  func `refuses what two readers could understand differently`(
    _ attack: BadJSON, _ grammar: JSONScanner.Grammar
  ) throws {
    let found = try #require(fault(of: attack.bytes, grammar))
    #expect(found.reason.contains(attack.reason) && found.offset == attack.offset, "\(found)")
  }

  @Test(arguments: brokenUTF8, [JSONScanner.Grammar.strict, .python])
  func `refuses broken UTF-8 in values and in keys`(
    _ attack: BadJSON, _ grammar: JSONScanner.Grammar
  ) throws {
    for (before, after) in [("[\"", "\"]"), ("{\"", "\":1}")] {
      let text = Array(before.utf8) + attack.bytes + Array(after.utf8)
      let found = try #require(fault(of: text, grammar))
      #expect(found.reason == attack.reason && found.offset == attack.offset, "\(found)")
    }
  }

  @Test(arguments: [
    "9223372036854775807", "-9223372036854775808", "18446744073709551615", "0", "-0",
  ])
  func `takes integers of 64 bits`(_ text: String) {
    #expect(fault(of: Array(text.utf8), .strict) == nil)
  }

  @Test(arguments: ["18446744073709551616", "-9223372036854775809", "1" + repeated("0", 400)])
  func `refuses larger integers, as the standard grammar has them`(_ text: String) throws {
    let found = try #require(fault(of: Array(text.utf8), .strict))
    #expect(found.reason == "a number does not fit 64 bits" && found.offset == 0)
    #expect(fault(of: Array(text.utf8), .python) == nil)
  }

  @Test(arguments: ["NaN", "Infinity", "-Infinity"])
  func `Python's numbers are in Python's grammar only`(_ text: String) {
    let bytes = Array("[\(text)]".utf8)
    #expect(fault(of: bytes, .strict) != nil)
    #expect(fault(of: bytes, .python) == nil)
  }

  @Test(arguments: ["-NaN", "+Infinity", "INFINITY", "-Inf"])
  func `what Python does not write is no number either`(_ text: String) {
    #expect(fault(of: Array("[\(text)]".utf8), .python) != nil)
  }

  @Test(arguments: [("[", "]"), ("{\"a\":", "}")])
  func `nests as deep as the limit and no deeper`(_ open: String, _ close: String) throws {
    func nested(_ depth: Int) -> [UInt8] {
      let inner = open == "[" ? "[]" : "{}"
      return Array((repeated(open, depth - 1) + inner + repeated(close, depth - 1)).utf8)
    }
    #expect(fault(of: nested(JSONScanner.maximumDepth), .strict) == nil)
    let found = try #require(fault(of: nested(JSONScanner.maximumDepth + 1), .strict))
    #expect(found.reason == "nested deeper than 64")
  }

  @Test func `a depth bomb ends at once, wherever it stands`() throws {
    let bomb = repeated("[", 1_000_000)
    for text in [bomb, #"{"ignored":"# + bomb, "[[1]," + bomb] {
      let found = try #require(fault(of: Array(text.utf8), .strict))
      #expect(found.reason == "nested deeper than 64")
    }
  }

  @Test func `a text that is cut anywhere is refused`() {
    let text = Array(#" {"a\u00e9\ud83d\ude00é":[-1.5e+3,true,null,{"":"\\\n"}],"b":{}} "#.utf8)
    #expect(fault(of: text, .strict) == nil)
    // Behind the closing brace only the last space is missing.
    for count in 0..<text.count - 1 {
      #expect(fault(of: Array(text.prefix(count)), .strict) != nil, "cut at \(count)")
    }
  }

  @Test func `finds the members of the outermost object`() throws {
    let text = #" { "a" : [1, {"x": 2}] ,"\u0062":"}" }"#
    let bytes = Array(text.utf8)
    let members = try JSONScanner.members(of: bytes, grammar: .strict)
    #expect(members.map(\.key) == ["a", "b"])
    #expect(members.map(\.offset) == [3, 24])
    let values = members.map { String(decoding: bytes[$0.value], as: UTF8.self) }
    #expect(values == [#"[1, {"x": 2}]"#, #""}""#])
  }

  @Test(arguments: ["[]", "1", "null", "\"{}\""])
  func `members are those of an object`(_ text: String) throws {
    let error = try #require(throws: JSONError.self) {
      try JSONScanner.members(of: Array(text.utf8), grammar: .strict)
    }
    #expect(error.reason == "expected an object" && error.offset == 0)
  }

  @Test func `names that are equal for Swift's strings are two keys`() throws {
    let members = try JSONScanner.members(
      of: Array("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8), grammar: .strict)
    #expect(members.count == 2)
  }
}

private func repeated(_ text: String, _ count: Int) -> String {
  String(repeating: text, count: count)
}
