import TensorCore

/// Whose rules a pattern follows.
enum PatternDialect: Sendable {
  /// Oniguruma with Ruby's syntax, as tokenizers has it: `^` and `$` are those of lines, and `{1,3}+` is a
  /// repetition of a repetition.
  case oniguruma
  /// fancy-regex, as tiktoken has it: `^` and `$` are those of the text, and `{1,3}+` gives nothing back.
  case fancyRegex
}

/// Reads a pattern.
///
/// What is not known, or not needed by any tokeniser (references back to groups, calls, conditions), is
/// refused with its place.
struct PatternParser {
  /// How deep groups stand in groups.
  static let maximumDepth = 64

  private let text: [UInt32]
  private let dialect: PatternDialect
  private var position = 0
  private var depth = 0
  private var ignoresCase = false
  private var dotMatchesLines = false
  private var isExtended = false

  /// The pattern that a text is.
  ///
  /// - Throws: `CheckpointError`: unsupported, with the place in the pattern.
  static func parse(
    _ pattern: String, dialect: PatternDialect
  ) throws(CheckpointError) -> PatternNode {
    var parser = PatternParser(
      text: pattern.unicodeScalars.map(\.value), dialect: dialect)
    let node = try parser.alternatives()
    guard parser.position == parser.text.count else { throw parser.fault("\")\" without \"(\"") }
    return node
  }

  private init(text: [UInt32], dialect: PatternDialect) {
    self.text = text
    self.dialect = dialect
  }

  private func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.unsupported("\(reason) at character \(position) of a pattern"))
  }

  // MARK: Structure

  private mutating func alternatives() throws(CheckpointError) -> PatternNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw fault("too many groups in groups") }
    let (oldCase, oldDot, oldExtended) = (ignoresCase, dotMatchesLines, isExtended)
    defer { (ignoresCase, dotMatchesLines, isExtended) = (oldCase, oldDot, oldExtended) }
    var nodes = [try sequence()]
    while take("|") { nodes.append(try sequence()) }
    return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
  }

  private mutating func sequence() throws(CheckpointError) -> PatternNode {
    var nodes: [PatternNode] = []
    while let next = peek, next != "|", next != ")" {
      if isExtended, skipsExtended() { continue }
      guard let atom = try atom() else { continue }
      nodes.append(try repeated(atom))
    }
    return nodes.count == 1 ? nodes[0] : .sequence(nodes)
  }

  /// Passes over a space or a comment.
  private mutating func skipsExtended() -> Bool {
    guard let next = peek else { return false }
    if next == "#" {
      while let character = peek, character != "\n" { position += character == "\n" ? 0 : 1 }
      return true
    }
    guard [" ", "\n", "\t", "\r"].contains(next) else { return false }
    position += 1
    return true
  }

  private mutating func repeated(_ atom: PatternNode) throws(CheckpointError) -> PatternNode {
    var node = atom
    while let next = peek {
      var (least, most): (Int, Int?) = (0, nil)
      var isBraced = false
      switch next {
      case "*": position += 1
      case "+":
        position += 1
        least = 1
      case "?":
        position += 1
        most = 1
      case "{":
        guard let bounds = try bounds() else { return node }
        (least, most) = bounds
        isBraced = true
      default: return node
      }
      var greed = PatternNode.Greed.greedy
      if take("?") {
        greed = .lazy
      } else if peek == "+", !isBraced || dialect == .fancyRegex {
        position += 1
        greed = .possessive
      }
      if case .assertion = node { throw fault("a repeated assertion") }
      node = .repetition(node, least, most, greed)
    }
    return node
  }

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; anything else in braces is text.
  private mutating func bounds() throws(CheckpointError) -> (Int, Int?)? {
    let start = position
    position += 1
    let least = number()
    var most = least
    if take(",") { most = number() }
    guard take("}"), least != nil || most != nil else {
      position = start
      return nil
    }
    guard least ?? 0 <= most ?? .max, max(least ?? 0, most ?? 0) <= 1000 else {
      throw fault("a repetition of more than 1000 times, or of none")
    }
    return (least ?? 0, most)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let next = peek, let digit = next.isASCII ? Int(String(next)) : nil {
      value = min((value ?? 0) * 10 + digit, 1 << 20)
      position += 1
    }
    return value
  }

  // MARK: Atoms

  /// The next atom; `nil` for one that only changes how what follows is read.
  private mutating func atom() throws(CheckpointError) -> PatternNode? {
    guard let next = peek else { return nil }
    position += 1
    switch next {
    case "(": return try group()
    case "[": return .set(try bracket())
    case ".": return .set(dot)
    case "^": return .assertion(dialect == .oniguruma ? .lineStart : .textStart)
    case "$": return .assertion(dialect == .oniguruma ? .lineEnd : .textEnd)
    case "\\": return try escape()
    case "*", "+", "?": throw fault("a repetition of nothing")
    case "{":
      position -= 1
      if try bounds() != nil { throw fault("a repetition of nothing") }
      position += 1
      return .set(literal(next.value))
    default: return .set(literal(next.value))
    }
  }

  private var dot: CharacterSet {
    var set = CharacterSet()
    if !dotMatchesLines { set.add(10...10) }
    set.invert()
    set.finish()
    return set
  }

  private mutating func group() throws(CheckpointError) -> PatternNode? {
    guard take("?") else { return try closed() }
    if take(":") { return try closed() }
    if take(">") { return .atomic(try closed()) }
    if take("=") { return .look(try closed(), isAhead: true, isNegative: false) }
    if take("!") { return .look(try closed(), isAhead: true, isNegative: true) }
    if take("#") {
      while let next = peek, next != ")" { position += 1 }
      guard take(")") else { throw fault("a comment without end") }
      return nil
    }
    if take("<") || take("P") && take("<") {
      if take("=") { return try lookBehind(isNegative: false) }
      if take("!") { return try lookBehind(isNegative: true) }
      while let next = peek, next != ">" { position += 1 }
      guard take(">") else { throw fault("a name without end") }
      return try closed()
    }
    return try options()
  }

  private mutating func lookBehind(isNegative: Bool) throws(CheckpointError) -> PatternNode {
    let node = try closed()
    if case .alternatives(let nodes) = node, nodes.allSatisfy({ $0.width != nil }) {
      let looks = nodes.map { PatternNode.look($0, isAhead: false, isNegative: isNegative) }
      return isNegative ? .sequence(looks) : .alternatives(looks)
    }
    guard node.width != nil else { throw fault("a look behind of no certain length") }
    return .look(node, isAhead: false, isNegative: isNegative)
  }

  private mutating func closed() throws(CheckpointError) -> PatternNode {
    let node = try alternatives()
    guard take(")") else { throw fault("\"(\" without \")\"") }
    return node
  }

  /// `(?i)` and `(?i:…)`.
  private mutating func options() throws(CheckpointError) -> PatternNode? {
    let (oldCase, oldDot, oldExtended) = (ignoresCase, dotMatchesLines, isExtended)
    var isOn = true
    while let next = peek {
      position += 1
      switch next {
      case "-": isOn = false
      case "i": ignoresCase = isOn
      case "x": isExtended = isOn
      case "m" where dialect == .oniguruma, "s" where dialect == .fancyRegex:
        dotMatchesLines = isOn
      case "u" where dialect == .fancyRegex: break
      case ":":
        let node = try closed()
        (ignoresCase, dotMatchesLines, isExtended) = (oldCase, oldDot, oldExtended)
        return node
      case ")":
        // What follows in this group is one alternative of its own to Oniguruma; so it is read.
        let node = try alternativesKeepingOptions()
        return node
      default: throw fault("an unknown group")
      }
    }
    throw fault("a group without end")
  }

  /// The rest of the group, with the options that were just set.
  private mutating func alternativesKeepingOptions() throws(CheckpointError) -> PatternNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw fault("too many groups in groups") }
    var nodes = [try sequence()]
    while take("|") { nodes.append(try sequence()) }
    return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
  }

  private mutating func escape() throws(CheckpointError) -> PatternNode {
    guard let next = peek else { throw fault("nothing after \"\\\"") }
    switch next {
    case "A": return assertion(.textStart)
    case "z": return assertion(.textEnd)
    case "Z": return assertion(.lastLineEnd)
    case "b": return assertion(.wordBoundary)
    case "B": return assertion(.noWordBoundary)
    case "1"..."9", "k", "g", "G", "K", "R", "X", "y", "Y", "O", "N":
      throw fault("\"\\\(next)\"")
    default: return .set(try escapedSet())
    }
  }

  private mutating func assertion(_ assertion: PatternNode.Assertion) -> PatternNode {
    position += 1
    return .assertion(assertion)
  }

  // MARK: Sets

  /// `[…]`, after the bracket.
  private mutating func bracket() throws(CheckpointError) -> CharacterSet {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw fault("too many sets in sets") }
    let isInverted = take("^")
    var set = CharacterSet()
    var (isFirst, intersected): (Bool, [CharacterSet]) = (true, [])
    while true {
      guard let next = peek else { throw fault("\"[\" without \"]\"") }
      position += 1
      if next == "]", !isFirst { break }
      isFirst = false
      if next == "&", take("&") {
        set.finish()
        intersected.append(set)
        set = CharacterSet()
        continue
      }
      try addItem(next, to: &set)
    }
    set.finish()
    for other in intersected { set.require(other) }
    if isInverted { set.invert() }
    set.finish()
    return set
  }

  private mutating func addItem(
    _ next: Unicode.Scalar, to set: inout CharacterSet
  ) throws(CheckpointError) {
    if next == "[" {
      if let named = try posixSet() { return set.add(named) }
      return set.add(try bracket())
    }
    var first = next.value
    if next == "\\" {
      guard let escaped = peek else { throw fault("nothing after \"\\\"") }
      if escaped != "b", let named = try namedSet() { return set.add(named) }
      first = try escapedCharacter(inSet: true)
    }
    guard peek == "-", position + 1 < text.count, text[position + 1] != 0x5D,
      text[position + 1] != 0x5B
    else { return addCharacters(first...first, to: &set) }
    position += 1
    guard let end = peek else { throw fault("\"[\" without \"]\"") }
    position += 1
    var last = end.value
    if end == "\\" {
      if let named = try namedSet() {
        addCharacters(first...first, to: &set)
        addCharacters(0x2D...0x2D, to: &set)
        return set.add(named)
      }
      last = try escapedCharacter(inSet: true)
    }
    guard first <= last else { throw fault("a range that ends before it begins") }
    addCharacters(first...last, to: &set)
  }

  private func addCharacters(_ range: ClosedRange<UInt32>, to set: inout CharacterSet) {
    set.add(range)
    guard ignoresCase else { return }
    // Other cases of long ranges are looked for in the scripts that have them.
    for scalar in range.prefix(0x3000) {
      for other in otherCases(of: scalar) { set.add(other...other) }
    }
  }

  private func literal(_ scalar: UInt32) -> CharacterSet {
    var set = CharacterSet()
    addCharacters(scalar...scalar, to: &set)
    set.finish()
    return set
  }

  /// A set or a character, after the backslash.
  private mutating func escapedSet() throws(CheckpointError) -> CharacterSet {
    if let named = try namedSet() { return named }
    return literal(try escapedCharacter(inSet: false))
  }

  /// `\s`, `\p{L}` and the like, after the backslash; `nil` if a character is meant.
  private mutating func namedSet() throws(CheckpointError) -> CharacterSet? {
    guard let next = peek else { return nil }
    var set: CharacterSet
    switch next {
    case "s", "S": set = CharacterSet(.space)
    case "d", "D": set = try property("Nd")
    case "w", "W": set = CharacterSet(dialect == .oniguruma ? .wordOfPatterns : .word)
    case "h" where dialect == .oniguruma, "H" where dialect == .oniguruma:
      set = CharacterSet()
      for range in [UInt32(0x30)...0x39, 0x41...0x46, 0x61...0x66] { set.add(range) }
      set.finish()
    case "p", "P":
      position += 1
      return try braced(isInverted: next == "P")
    default: return nil
    }
    position += 1
    if ["S", "D", "W", "H"].contains(next) {
      set.invert()
      set.finish()
    }
    return set
  }

  /// What follows `\p` or `\P`.
  private mutating func braced(isInverted: Bool) throws(CheckpointError) -> CharacterSet {
    var (name, isInverted) = ("", isInverted)
    if take("{") {
      if take("^") { isInverted.toggle() }
      while let next = peek, next != "}" {
        name.unicodeScalars.append(next)
        position += 1
      }
      guard take("}") else { throw fault("\"\\p{\" without \"}\"") }
    } else if let next = peek {
      name.unicodeScalars.append(next)
      position += 1
    }
    var set = try property(name)
    if isInverted {
      set.invert()
      set.finish()
    }
    return set
  }

  /// `[:alpha:]`, after the first bracket.
  private mutating func posixSet() throws(CheckpointError) -> CharacterSet? {
    guard peek == ":" else { return nil }
    let start = position
    position += 1
    let isInverted = take("^")
    var name = ""
    while let next = peek, next.properties.isAlphabetic {
      name.unicodeScalars.append(next)
      position += 1
    }
    guard take(":"), take("]") else {
      position = start
      return nil
    }
    var set = try property(name)
    if isInverted {
      set.invert()
      set.finish()
    }
    return set
  }

  /// A set of Unicode by its name.
  private func property(_ name: String) throws(CheckpointError) -> CharacterSet {
    let plain = String(name.lowercased().filter { $0 != "_" && $0 != " " && $0 != "-" })
    var mask: UInt32 = 0
    for (index, category) in CharacterTable.categoryNames.enumerated() {
      let category = category.lowercased()
      if category == plain || plain.count == 1 && category.hasPrefix(plain) {
        mask |= 1 << UInt32(index)
      }
    }
    if mask != 0 { return CharacterSet(categories: mask) }
    switch plain {
    case "letter": return try property("L")
    case "mark": return try property("M")
    case "number": return try property("N")
    case "punctuation": return try property("P")
    case "symbol": return try property("S")
    case "separator": return try property("Z")
    case "digit": return try property("Nd")
    case "han", "script=han", "sc=han": return CharacterSet(.han)
    case "hiragana": return CharacterSet(.hiragana)
    case "katakana": return CharacterSet(.katakana)
    case "space", "whitespace": return CharacterSet(.space)
    case "word" where dialect == .oniguruma: return CharacterSet(.wordOfPatterns)
    case "punct" where dialect == .oniguruma:
      // Oniguruma counts symbols, too.
      var set = try property("P")
      set.add(try property("S"))
      set.finish()
      return set
    default: throw fault("the property \"\(name)\"")
    }
  }

  /// The character that an escape stands for.
  private mutating func escapedCharacter(inSet: Bool) throws(CheckpointError) -> UInt32 {
    guard let next = peek else { throw fault("nothing after \"\\\"") }
    position += 1
    switch next {
    case "n": return 10
    case "r": return 13
    case "t": return 9
    case "f": return 12
    case "v": return 11
    case "a": return 7
    case "e": return 27
    case "0": return 0
    case "b" where inSet: return 8
    case "x": return try hexadecimal(digits: 2)
    case "u": return try hexadecimal(digits: 4)
    default:
      if next.isASCII, next.properties.isAlphabetic || ("1"..."9").contains(next) {
        throw fault("\"\\\(next)\"")
      }
      return next.value
    }
  }

  private mutating func hexadecimal(digits: Int) throws(CheckpointError) -> UInt32 {
    let isBraced = take("{")
    var (value, count): (UInt32, Int) = (0, 0)
    while let next = peek, let digit = UInt32(String(next), radix: 16),
      count < (isBraced ? 8 : digits)
    {
      value = value << 4 | digit
      count += 1
      position += 1
    }
    guard count > 0, !isBraced || take("}"), Unicode.Scalar(value) != nil else {
      throw fault("a number that is no character")
    }
    return value
  }

  // MARK: Characters

  private var peek: Unicode.Scalar? {
    position < text.count ? Unicode.Scalar(text[position]) : nil
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek == scalar else { return false }
    position += 1
    return true
  }
}

/// The characters that are the same but for their case.
private func otherCases(of scalar: UInt32) -> [UInt32] {
  guard let character = Unicode.Scalar(scalar) else { return [] }
  var cases: Set<UInt32> = []
  func add(_ text: String) {
    if text.unicodeScalars.count == 1, let only = text.unicodeScalars.first {
      cases.insert(only.value)
    }
  }
  add(character.properties.lowercaseMapping)
  add(character.properties.uppercaseMapping)
  // Letters whose capital is an ASCII letter.
  switch scalar {
  case 0x53, 0x73: cases.insert(0x17F)
  case 0x4B, 0x6B: cases.insert(0x212A)
  case 0xC5, 0xE5: cases.insert(0x212B)
  case 0x17F: cases.insert(0x73)
  case 0x212A: cases.insert(0x6B)
  default: break
  }
  cases.remove(scalar)
  return cases.sorted()
}
