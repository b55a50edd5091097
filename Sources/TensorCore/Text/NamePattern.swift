/// A pattern for whole names that keeps what it stood for: a `Glob` in which `{i}`, or another letter in
/// braces, is a number, as in the tables of dialects.
///
/// `{i}` is a number without zeros before it, `{ii}` one of at least two digits, `{i+1}` one that is 1 more than
/// `i`. `\{` is a brace. No number stands twice.
public struct NamePattern: Sendable, Equatable {
  /// The pattern as it was written.
  public let text: String
  private let parts: [Part]

  private enum Part: Equatable {
    case glob(Glob.Part)
    case number(NumberHole)
  }

  /// What parts of a name were.
  struct Match {
    /// What each `*` stood for.
    var texts: [String] = []
    /// The numbers.
    var numbers: [Unicode.Scalar: Int] = [:]
  }

  /// Reads a pattern, or returns `nil` if it is no glob, a brace is not that of a number, or a number stands twice.
  public init?(_ text: String) {
    var rest = text.unicodeScalars[...]
    var parts: [Part] = []
    var names: Set<Unicode.Scalar> = []
    while let scalar = rest.popFirst() {
      if scalar == "{" {
        guard let hole = NumberHole(&rest), names.insert(hole.name).inserted else { return nil }
        parts.append(.number(hole))
      } else {
        guard let part = Glob.part(scalar, &rest) else { return nil }
        if part != .anyText || parts.last != .glob(.anyText) { parts.append(.glob(part)) }
      }
    }
    self.text = text
    self.parts = parts
    onlyName = Self.onlyName(parts)
  }

  /// The one name that it stands for, if that is so.
  let onlyName: TensorName?

  private static func onlyName(_ parts: [Part]) -> TensorName? {
    var name = String.UnicodeScalarView()
    for part in parts {
      guard case .glob(.character(let scalar)) = part else { return nil }
      name.append(scalar)
    }
    return TensorName(String(name))
  }

  /// How many `*` it has.
  var textCount: Int { parts.count { $0 == .glob(.anyText) } }

  /// The letters of its numbers.
  var numbers: Set<Unicode.Scalar> {
    Set(parts.compactMap { if case .number(let hole) = $0 { hole.name } else { nil } })
  }

  /// Whether the pattern stands for `name`.
  public func matches(_ name: TensorName) -> Bool { match(name) != nil }

  /// What the parts of `name` are, each `*` as short as it can be; `nil` if the pattern does not stand for it. It takes
  /// time and memory proportional to the product of their lengths, beyond which no name is looked at.
  func match(_ name: TensorName) -> Match? {
    if let onlyName { return onlyName == name ? Match() : nil }
    let scalars = Array(name.text.unicodeScalars)
    let width = scalars.count + 1
    for (part, scalar) in zip(parts, scalars) {
      guard case .glob(.character(let own)) = part else { break }
      if own != scalar { return nil }
    }
    guard (parts.count + 1) * width <= Self.mostSteps else { return nil }
    // Whether the parts from one on can be what the name is from a place on.
    var fits = [Bool](repeating: false, count: (parts.count + 1) * width)
    fits[parts.count * width + scalars.count] = true
    for part in parts.indices.reversed() {
      for place in stride(from: scalars.count, through: 0, by: -1) {
        let isLonger =
          parts[part] == .glob(.anyText) && place < scalars.count && fits[part * width + place + 1]
        fits[part * width + place] =
          isLonger
          || ends(of: parts[part], at: place, scalars).contains { fits[(part + 1) * width + $0] }
      }
    }
    guard fits[0] else { return nil }
    var (match, place) = (Match(), 0)
    for (number, part) in parts.enumerated() {
      func goesOn(_ end: Int) -> Bool { fits[(number + 1) * width + end] }
      let start = place
      switch part {
      case .glob(.anyText):
        while !goesOn(place) { place += 1 }
        match.texts.append(text(scalars[start..<place]))
      case .glob: place += 1
      case .number(let hole):
        guard let end = ends(of: part, at: place, scalars).last(where: goesOn) else { return nil }
        match.numbers[hole.name] = hole.number(scalars[start..<end])
        place = end
      }
    }
    return match
  }

  private static let mostSteps = 1 << 24

  /// Where a part can end that begins at a place; of a `*` the nearest.
  private func ends(of part: Part, at place: Int, _ scalars: [Unicode.Scalar]) -> [Int] {
    switch part {
    case .glob(.anyText): return [place]
    case .glob(let part):
      return place < scalars.count && part.matches(scalars[place]) ? [place + 1] : []
    case .number(let hole):
      let last = min(scalars.count, place + NumberHole.mostDigits)
      return place >= last
        ? [] : (place + 1...last).filter { hole.number(scalars[place..<$0]) != nil }
    }
  }

  private func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    String(String.UnicodeScalarView(scalars))
  }
}

/// A name with places for what a pattern stood for: `{i}` for a number, and the first `*` for what the pattern's
/// first `*` was, and so on. `\` takes the next character as it is.
public struct NameTemplate: Sendable, Equatable {
  /// The template as it was written.
  public let text: String
  private let parts: [Part]

  private enum Part: Equatable {
    case character(Unicode.Scalar)
    case text(Int)
    case number(NumberHole)
  }

  /// Reads a template for a pattern, or returns `nil` if it is empty, a brace is not that of a number, or the pattern
  /// has not as many `*` or no such number.
  public init?(_ text: String, for pattern: NamePattern) {
    var rest = text.unicodeScalars[...]
    var (parts, texts): ([Part], Int) = ([], 0)
    while let scalar = rest.popFirst() {
      switch scalar {
      case "*":
        parts.append(.text(texts))
        texts += 1
      case "{":
        guard let hole = NumberHole(&rest), pattern.numbers.contains(hole.name) else { return nil }
        parts.append(.number(hole))
      case "\\":
        guard let next = rest.popFirst() else { return nil }
        parts.append(.character(next))
      default: parts.append(.character(scalar))
      }
    }
    if parts.isEmpty || texts > pattern.textCount { return nil }
    self.text = text
    self.parts = parts
  }

  /// The name for what a pattern stood for, or `nil` if a number would be less than 0.
  func filled(_ match: NamePattern.Match) -> String? {
    var result = String.UnicodeScalarView()
    for part in parts {
      switch part {
      case .character(let scalar): result.append(scalar)
      case .text(let index): result += match.texts[index].unicodeScalars
      case .number(let hole):
        guard let number = match.numbers[hole.name], let text = hole.text(number) else {
          return nil
        }
        result += text.unicodeScalars
      }
    }
    return String(result)
  }
}

/// A number in a name: `{i}`, `{iii}` with at least three digits, `{i+1}` for one more.
struct NumberHole: Sendable, Equatable {
  let name: Unicode.Scalar
  private let width: Int
  private let addend: Int

  /// More digits are no number of a layer.
  static let mostDigits = 9

  /// Reads what follows a `{`, the `}` included.
  init?(_ rest: inout Substring.UnicodeScalarView) {
    guard let end = rest.firstIndex(of: "}") else { return nil }
    let inside = rest[..<end]
    guard let name = inside.first, name.isASCII, name.properties.isAlphabetic else { return nil }
    let isNext = inside.dropFirst().elementsEqual("+1".unicodeScalars)
    guard isNext || inside.allSatisfy({ $0 == name }), inside.count <= Self.mostDigits else {
      return nil
    }
    self.name = name
    width = isNext ? 1 : inside.count
    addend = isNext ? 1 : 0
    rest = rest[rest.index(after: end)...]
  }

  /// The number that digits are, if they are written as this one is.
  func number(_ digits: ArraySlice<Unicode.Scalar>) -> Int? {
    guard digits.count >= width, digits.count == width || digits.first != "0" else { return nil }
    var number = 0
    for digit in digits {
      guard ("0"..."9").contains(digit) else { return nil }
      number = number * 10 + Int(digit.value - 48)
    }
    return number >= addend ? number - addend : nil
  }

  /// The number as this one is written.
  func text(_ number: Int) -> String? {
    let digits = String(number + addend)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
}
