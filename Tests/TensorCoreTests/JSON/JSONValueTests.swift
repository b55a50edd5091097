import TensorCore
import TestSupport
import Testing

@Suite struct JSONValueTests {
  private func parsed(
    _ text: String, _ grammar: JSONScanner.Grammar = .strict
  ) throws -> JSONValue {
    try JSONValue(parsing: Array(text.utf8), grammar: grammar)
  }

  private func again(_ value: JSONValue, pretty: Bool = false) throws -> JSONValue {
    try parsed(value.text(pretty: pretty))
  }

  @Test(arguments: [
    "T\u{10DCFF}", "\u{10DCFF}", "\u{E000}", "\u{F8FF}", "\u{F0000}", "\u{10FFFF}", "a\u{2028}b",
    "\u{1D800}\u{2DC00}\u{1F600}", "\\\u{1D800}\\u1D800",
  ])
  func `private and invisible characters survive being written`(_ text: String) throws {
    for value in [JSONValue.string(text), .array([.string(text)])] {
      let written = Array(value.text(pretty: true).utf8)
      #expect(try JSONValue(parsing: written, grammar: .strict) == value)
    }
  }

  @Test func `reads what a text says`() throws {
    let value = try parsed(
      #" {"z":[null,true,false,-1,18446744073709551615,0.5],"a":"\u00e9\n","":{}} "#)
    #expect(
      value == [
        "z": [.null, true, false, -1, .uint(.max), .double(0.5)], "a": "é\n", "": .object([]),
      ])
  }

  @Test func `an escaped pair of surrogates is its character, whatever its lower half`() throws {
    let text = #"["\ud836\udc00", "\\ud836\uD876\uDC00", "\ud83d\ude00\n"]"#
    #expect(try parsed(text) == ["\u{1D800}", "\\ud836\u{2D800}", "\u{1F600}\n"])
  }

  @Test(arguments: [Int64.min, -1, 0, 1, 9_007_199_254_740_993, .max])
  func `integers stay exact`(_ number: Int64) throws {
    #expect(try again([.int(number)]) == [.int(number)])
    #expect(try parsed("\(number)") == .int(number))
  }

  @Test(arguments: [9_223_372_036_854_775_808 as UInt64, 9_223_372_036_854_775_809, .max])
  func `unsigned integers stay exact`(_ number: UInt64) throws {
    #expect(try again([.uint(number)]) == [.uint(number)])
    #expect(JSONValue.uint(number).int == nil)
  }

  @Test(arguments: [
    0.1, 1e-12, 1.0, -0.0, .leastNonzeroMagnitude, 2.2250738585072014e-308, 1.7976931348623157e308,
    1e15, 1e16,
    123456789.12345678, -3.0e-5, 0.30000000000000004,
  ])
  func `doubles stay exact, and doubles`(_ number: Double) throws {
    guard case .double(let found) = try again(.double(number)) else {
      Issue.record("\(number) became \(JSONValue.double(number).text())")
      return
    }
    #expect(found.bitPattern == number.bitPattern)
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `random doubles stay exact`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let number = Double(bitPattern: generator.next())
      guard number.isFinite else { continue }
      let found = try again([.double(number)]).elements?.first?.double
      #expect(found?.bitPattern == number.bitPattern, "\(number)")
    }
  }

  @Test(arguments: [
    "", "plain", "\"\\/\u{8}\u{C}\n\r\t", "\u{0}", "a\u{0}b", "\u{1}\u{1F}\u{7F}\u{85}", "é",
    "e\u{301}",
    "😀", "\u{202E}\u{2028}\u{FEFF}", "\u{10FFFF}\u{FFFD}",
  ])
  func `texts stay exact, byte for byte`(_ text: String) throws {
    for pretty in [false, true] {
      let found = try again([.string(text)], pretty: pretty).elements?.first?.string
      #expect(found.map { Array($0.utf8) } == Array(text.utf8))
    }
  }

  @Test func `members keep their order, and keys their bytes`() throws {
    let keys = ["z", "a", "10", "2", "", "e\u{301}", "\u{E9}", "Z"]
    let value = JSONValue.object(keys.enumerated().map { .init($1, .number($0)) })
    for pretty in [false, true] {
      let found = try #require(try again(value, pretty: pretty).members)
      #expect(found.map { Array($0.key.utf8) } == keys.map { Array($0.utf8) })
      #expect(found.map(\.value) == keys.indices.map { .number($0) })
    }
    #expect(value["e\u{301}"] == 5)
    #expect(value["\u{E9}"] == 6)
    #expect(value["missing"] == nil)
  }

  @Test func `a key with a NUL does not become another key`() throws {
    // json-c would cut it, and then find a duplicate or hide one.
    let text = #"{"a\u0000b":1,"a":2}"#
    #expect(throws: JSONError.self) { try parsed(text) }
  }

  @Test func `what JSON cannot say becomes a string`() {
    #expect(JSONValue.number(.nan) == "NaN")
    #expect(JSONValue.number(.infinity) == "Infinity")
    #expect(JSONValue.number(-.infinity) == "-Infinity")
    #expect(JSONValue.number(0.5) == .double(0.5))
    #expect(JSONValue.number(7) == .int(7))
  }

  @Test func `reads the numbers that Python writes`() throws {
    let value = try parsed("[NaN, Infinity, -Infinity]", .python)
    let numbers = try #require(value.elements).compactMap(\.double)
    #expect(numbers.count == 3 && numbers[0].isNaN)
    #expect(numbers.dropFirst() == [.infinity, -.infinity])
  }

  @Test(arguments: [
    "18446744073709551616", "-9223372036854775809", "1000000000000000000000000000000",
  ])
  func `an integer of Python's that is too large is not another integer`(_ text: String) throws {
    let value = try parsed(text, .python)
    #expect(value.int == nil && value != .uint(.max), "\(text) became \(value)")
    #expect(value.double == Double(text), "\(text) became \(value)")
  }

  @Test func `answers for the right kind only`() {
    let values: [JSONValue] = [.null, true, 1, .uint(2), .double(3), "4", [5], ["6": 7]]
    #expect(values.map(\.bool) == [nil, true, nil, nil, nil, nil, nil, nil])
    #expect(values.map(\.int) == [nil, nil, 1, 2, nil, nil, nil, nil])
    #expect(values.map(\.double) == [nil, nil, 1, 2, 3, nil, nil, nil])
    #expect(values.map(\.string) == [nil, nil, nil, nil, nil, "4", nil, nil])
    #expect(values.map { $0.elements?.count } == [nil, nil, nil, nil, nil, nil, 1, nil])
    #expect(values.map { $0.members?.count } == [nil, nil, nil, nil, nil, nil, nil, 1])
  }

  @Test func `is written compactly or indented`() {
    let value: JSONValue = ["a": [1, 2], "b": "x/y"]
    #expect(value.text() == #"{"a":[1,2],"b":"x/y"}"#)
    #expect(
      value.text(pretty: true) == """
        {
          "a": [
            1,
            2
          ],
          "b": "x/y"
        }
        """)
  }
}
