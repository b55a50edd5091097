/// What is wrong with a JSON text, and where.
public struct JSONError: Error, Equatable, Sendable {
  /// The fault, without a final stop.
  public let reason: String
  /// The byte at which it shows.
  public let offset: Int
}

/// Checks a JSON text against RFC 8259, and finds the members of its outermost object.
///
/// json-c, which builds the values, keeps the last of duplicate keys, saturates large integers and
/// accepts single quotes. Anything that two readers could understand differently is refused here
/// first: duplicate keys at any level (compared after unescaping), invalid UTF-8, lone surrogates,
/// numbers beyond 64 bits, a byte order mark, nesting deeper than `maximumDepth`, and objects of more
/// than `maximumMembers`.
public struct JSONScanner {
  /// How strict to be about what Python's `json` module writes although the standard forbids it.
  public enum Grammar: Sendable {
    /// RFC 8259, integers within 64 bits.
    case strict
    /// Also `NaN`, `Infinity`, `-Infinity` and integers of any size, as config.json may have them.
    case python
  }

  /// A member of an object: its unescaped key and where both stand.
  public struct Member: Sendable {
    /// The key, unescaped.
    public let key: String
    /// Where the key's opening quote stands.
    public let offset: Int
    /// The bytes of the value.
    public let value: Range<Int>
  }

  /// The deepest nesting accepted.
  public static let maximumDepth = 64
  /// The most members of an object: all keys are kept, to find duplicates.
  public static let maximumMembers = 1 << 20

  private let bytes: [UInt8]
  private let grammar: Grammar
  /// Down to which depth keys may hold NUL, because json-c, which cuts keys there, does not see them.
  private let depthOfNULs: Int
  private var position: Int
  /// Where the text ends.
  private let limit: Int
  /// Where integers end that do not fit 64 bits.
  private var largeIntegerEnds: [Int] = []

  private init(_ bytes: [UInt8], _ range: Range<Int>, grammar: Grammar, depthOfNULs: Int) {
    self.bytes = bytes
    self.grammar = grammar
    self.depthOfNULs = depthOfNULs
    position = range.lowerBound
    limit = range.upperBound
  }

  /// Checks the whole text.
  ///
  /// - Returns: where integers end that do not fit 64 bits, which only Python's grammar allows.
  /// - Throws: `JSONError` for the first fault.
  @discardableResult
  public static func check(_ bytes: [UInt8], grammar: Grammar) throws(JSONError) -> [Int] {
    var scanner = try start(bytes, grammar: grammar, depthOfNULs: 0)
    _ = try scanner.value(depth: 0)
    try scanner.end()
    return scanner.largeIntegerEnds
  }

  /// Checks the whole text, which must be an object, and returns the object's members in order.
  ///
  /// - Throws: `JSONError` for the first fault.
  public static func members(
    of bytes: [UInt8], grammar: Grammar
  ) throws(JSONError) -> [Member] {
    var scanner = try start(bytes, grammar: grammar, depthOfNULs: 1)
    return try scanner.members()
  }

  /// Checks the whole text, which must be an object, and shows the object's members in order.
  ///
  /// Needs less memory than `members(of:)` when there are very many. A fault may come after members
  /// that were fine. Keys may hold NUL at every level: the values are not for json-c.
  ///
  /// - Throws: `JSONError` for the first fault.
  public static func visitMembers(
    of bytes: [UInt8], grammar: Grammar, _ visit: (Member) -> Void
  ) throws(JSONError) {
    var scanner = try start(bytes, grammar: grammar, depthOfNULs: maximumDepth)
    guard scanner.peek == UInt8(ascii: "{") else { throw scanner.fault("expected an object") }
    try scanner.object(depth: 0, member: visit)
    try scanner.end()
  }

  /// The members of an object inside a text that has been checked, such as the value of a member.
  ///
  /// - Throws: `JSONError` if the value is no object. Offsets are those of the whole text.
  public static func members(
    ofChecked value: Range<Int>, in bytes: [UInt8], grammar: Grammar
  ) throws(JSONError) -> [Member] {
    var scanner = JSONScanner(bytes, value, grammar: grammar, depthOfNULs: maximumDepth)
    return try scanner.members()
  }

  /// The string that a checked value is, unescaped, or `nil` if it is none.
  public static func string(ofChecked value: Range<Int>, in bytes: [UInt8]) -> String? {
    var scanner = JSONScanner(bytes, value, grammar: .strict, depthOfNULs: 0)
    guard scanner.peek == UInt8(ascii: "\"") else { return nil }
    return try? scanner.string()
  }

  /// The list of integers from 0 that a checked value is, or `nil` if it is none, or one is larger
  /// than `Int` can be.
  ///
  /// - Parameter limit: how many of them are wanted; the rest is only counted.
  /// - Returns: the first numbers, and how many there are.
  public static func naturalNumbers(
    ofChecked value: Range<Int>, in bytes: [UInt8], limit: Int
  ) -> (first: [Int], count: Int)? {
    var scanner = JSONScanner(bytes, value, grammar: .strict, depthOfNULs: 0)
    var (numbers, count): ([Int], Int) = ([], 0)
    guard scanner.take("[") else { return nil }
    scanner.skipSpace()
    if scanner.take("]") { return ([], 0) }
    while true {
      guard let number = scanner.naturalNumber() else { return nil }
      count += 1
      if count <= limit { numbers.append(number) }
      scanner.skipSpace()
      if scanner.take("]") { return (numbers, count) }
      guard scanner.take(",") else { return nil }
      scanner.skipSpace()
    }
  }

  /// The digits that come next, as a number.
  private mutating func naturalNumber() -> Int? {
    var number = 0
    let start = position
    while let byte = peek, isDigit(byte) {
      let (product, tooLarge) = number.multipliedReportingOverflow(by: 10)
      let (sum, overflow) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      if tooLarge || overflow { return nil }
      number = sum
      position += 1
    }
    return position > start ? number : nil
  }

  private mutating func members() throws(JSONError) -> [Member] {
    guard peek == UInt8(ascii: "{") else { throw fault("expected an object") }
    var members: [Member] = []
    try object(depth: 0) { members.append($0) }
    try end()
    return members
  }

  private static func start(
    _ bytes: [UInt8], grammar: Grammar, depthOfNULs: Int
  ) throws(JSONError) -> JSONScanner {
    if let offset = firstInvalidUTF8(in: bytes) {
      throw JSONError(reason: "not valid UTF-8", offset: offset)
    }
    var scanner = JSONScanner(
      bytes, 0..<bytes.count, grammar: grammar, depthOfNULs: depthOfNULs)
    scanner.skipSpace()
    return scanner
  }

  // MARK: Values

  private mutating func value(depth: Int) throws(JSONError) -> Range<Int> {
    guard depth < Self.maximumDepth else {
      throw fault("nested deeper than \(Self.maximumDepth)")
    }
    let start = position
    switch peek {
    case UInt8(ascii: "{"): try object(depth: depth) { _ in }
    case UInt8(ascii: "["): try array(depth: depth)
    case UInt8(ascii: "\""): try skipString()
    case let byte? where byte == UInt8(ascii: "-") || isDigit(byte): try number()
    default: try word()
    }
    return start..<position
  }

  private mutating func object(
    depth: Int, member: (Member) -> Void
  ) throws(JSONError) {
    var keys = KeySet()
    var count = 0
    position += 1
    skipSpace()
    if take("}") { return }
    while true {
      guard peek == UInt8(ascii: "\"") else { throw fault("expected a key in quotes") }
      let start = position
      let key = try string()
      count += 1
      guard count <= Self.maximumMembers else {
        throw JSONError(
          reason: "an object has more than \(Self.maximumMembers) members", offset: start)
      }
      guard keys.insert(TensorName(key)) else {
        throw JSONError(reason: "duplicate key \"\(key)\"", offset: start)
      }
      if key.utf8.contains(0), depth >= depthOfNULs {
        throw JSONError(reason: "a NUL in a key", offset: start)
      }
      skipSpace()
      guard take(":") else { throw fault("expected \":\"") }
      skipSpace()
      let range = try value(depth: depth + 1)
      member(Member(key: key, offset: start, value: range))
      skipSpace()
      if take("}") { return }
      guard take(",") else { throw fault("expected \",\" or \"}\"") }
      skipSpace()
    }
  }

  private mutating func array(depth: Int) throws(JSONError) {
    position += 1
    skipSpace()
    if take("]") { return }
    while true {
      _ = try value(depth: depth + 1)
      skipSpace()
      if take("]") { return }
      guard take(",") else { throw fault("expected \",\" or \"]\"") }
      skipSpace()
    }
  }

  private mutating func word() throws(JSONError) {
    let pythonWords = grammar == .python ? ["NaN", "Infinity"] : []
    for word in ["true", "false", "null"] + pythonWords
    where bytes[position..<limit].starts(with: word.utf8) {
      position += word.utf8.count
      return
    }
    throw fault("expected a value")
  }

  private mutating func number() throws(JSONError) {
    let start = position
    let negative = take("-")
    if negative, grammar == .python, bytes[position..<limit].starts(with: "Infinity".utf8) {
      position += 8
      return
    }
    let leadingZero = peek == UInt8(ascii: "0")
    let whole = skipDigits()
    if whole == 0 { throw fault("expected a digit") }
    if leadingZero && whole > 1 {
      throw JSONError(reason: "a number starts with 0", offset: start)
    }
    var isInteger = true
    if take(".") {
      isInteger = false
      if skipDigits() == 0 { throw fault("expected a digit") }
    }
    if take("e") || take("E") {
      isInteger = false
      if !take("-") { _ = take("+") }
      if skipDigits() == 0 { throw fault("expected a digit") }
    }
    // 18 digits always fit.
    guard isInteger, whole > 18 else { return }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard Int64(text) == nil && UInt64(text) == nil else { return }
    guard grammar == .python else {
      throw JSONError(reason: "a number does not fit 64 bits", offset: start)
    }
    largeIntegerEnds.append(position)
  }

  // MARK: Strings

  /// The string at the current quote, unescaped.
  private mutating func string() throws(JSONError) -> String {
    position += 1
    var text = plainRun()
    if take("\"") { return String(decoding: text, as: UTF8.self) }
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        text += Array(String(try escape()).utf8)
      case 0..<0x20:
        throw fault("a control character in a string")
      default:
        text += plainRun()
      }
    }
    throw fault("a string does not end")
  }

  /// The bytes up to a quote, a backslash or a control character.
  private mutating func plainRun() -> ArraySlice<UInt8> {
    let start = position
    while let byte = peek, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
      position += 1
    }
    return bytes[start..<position]
  }

  /// Checks the string at the current quote.
  private mutating func skipString() throws(JSONError) {
    position += 1
    while true {
      _ = plainRun()
      guard let byte = peek else { throw fault("a string does not end") }
      if take("\"") { return }
      guard byte == UInt8(ascii: "\\") else { throw fault("a control character in a string") }
      _ = try escape()
    }
  }

  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    let start = position
    position += 1
    guard let byte = peek else { throw fault("a string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try unicodeEscape(start: start)
    default: throw JSONError(reason: "an unknown escape", offset: start)
    }
  }

  private mutating func unicodeEscape(start: Int) throws(JSONError) -> Unicode.Scalar {
    let first = try fourHexDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    let lone = JSONError(reason: "a lone surrogate", offset: start)
    guard (0xD800..<0xDC00).contains(first), take("\\"), take("u") else { throw lone }
    let second = try fourHexDigits()
    guard (0xDC00..<0xE000).contains(second) else { throw lone }
    let code = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    guard let scalar = Unicode.Scalar(code) else { throw lone }
    return scalar
  }

  private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
    guard position + 4 <= limit else { throw fault("a string does not end") }
    var code: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw fault("expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
    }
    position += 4
    return code
  }

  // MARK: Bytes

  private var peek: UInt8? { position < limit ? bytes[position] : nil }

  private func fault(_ reason: String) -> JSONError {
    let reason = position < limit ? reason : "the text ends too early"
    return JSONError(reason: reason, offset: position)
  }

  private mutating func take(_ byte: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  private mutating func skipDigits() -> Int {
    let start = position
    while let byte = peek, isDigit(byte) { position += 1 }
    return position - start
  }

  private mutating func skipSpace() {
    while let byte = peek, [0x20, 0x0A, 0x0D, 0x09].contains(byte) { position += 1 }
  }

  private mutating func end() throws(JSONError) {
    skipSpace()
    if position < limit {
      throw JSONError(reason: "something follows the value", offset: position)
    }
  }
}

/// The keys of an object. Most objects have few, for which looking through them is quickest.
private struct KeySet {
  private var few: [TensorName] = []
  private var many: Set<TensorName> = []

  /// Adds a key, unless it is there.
  mutating func insert(_ key: TensorName) -> Bool {
    if few.count < 8 {
      if few.contains(key) { return false }
      few.append(key)
      return true
    }
    if many.isEmpty { many = Set(few) }
    return many.insert(key).inserted
  }
}

private func isDigit(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// The offset of the first byte that is not part of valid UTF-8, or `nil`.
private func firstInvalidUTF8(in bytes: [UInt8]) -> Int? {
  do {
    _ = try UTF8Span(validating: bytes.span)
    return nil
  } catch {
    return error.byteOffsets.lowerBound
  }
}
