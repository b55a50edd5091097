import TensorCore

/// A line of a map: tensors of all layers, and where they belong.
public struct RuleLine: Sendable {
  /// What tensors are called, as a pattern of `NameRules`.
  public let from: String
  /// What they are, as a template for it.
  public let to: String
  /// Whether they have to be transposed.
  public let isTransposed: Bool
  /// How many there are.
  public let count: Int
  /// The shape, if all have one.
  public let shape: [Int]?
  /// How sure it is: `proven`, `certain`, `likely`.
  public let sureness: String
  /// Why.
  public let evidence: String

  /// Whether the base has the same elements there.
  var hasElements: Bool { evidence.hasPrefix("the base's elements") }

  /// The rule.
  var rule: NameRules.Rule? {
    guard let pattern = NamePattern(from), let name = NameTemplate(to, for: pattern) else {
      return nil
    }
    return NameRules.Rule(pattern, name, isTransposed: isTransposed, origin: from)
  }
}

/// Names and what they become, as few rules.
struct RuleWriter {
  /// A pair of names.
  struct Pair: Hashable {
    let from: String
    let to: String
  }

  /// The rule that makes `to` of `from` in all pairs, and does so by the numbers in them; `nil` if there is none.
  static func rule(for pairs: [Pair]) -> (from: String, to: String)? {
    guard let first = pairs.first, pairs.count > 1 else { return nil }
    let (sources, targets) = (pairs.map { runs($0.from) }, pairs.map { runs($0.to) })
    guard let ownTexts = common(sources), let newTexts = common(targets) else { return nil }
    var holes: [(name: Character, numbers: [Int])] = []
    var from = ""
    for (index, text) in ownTexts.enumerated() {
      if let text {
        from += escaped(text, "*?[]\\{}")
        continue
      }
      let digits = sources.map { String($0[index]) }
      let numbers = digits.compactMap { Int($0) }
      guard numbers.count == digits.count, holes.count < letters.count else { return nil }
      let isPadded = digits.contains { $0.hasPrefix("0") && $0.count > 1 }
      let width = isPadded ? digits[0].count : 1
      guard !isPadded || digits.allSatisfy({ $0.count == width }) else { return nil }
      let name = letters[holes.count]
      holes.append((name, numbers))
      from += "{" + String(repeating: name, count: width) + "}"
    }
    var to = ""
    for (index, text) in newTexts.enumerated() {
      if let text {
        to += escaped(text, "*\\{")
        continue
      }
      let numbers = targets.compactMap { Int($0[index]) }
      guard numbers.count == pairs.count else { return nil }
      if let hole = holes.first(where: { $0.numbers == numbers }) {
        to += "{\(hole.name)}"
      } else if let hole = holes.first(where: { $0.numbers.map { $0 + 1 } == numbers }) {
        to += "{\(hole.name)+1}"
      } else if let hole = holes.first(where: { $0.numbers == numbers.map { $0 + 1 } }) {
        // One less: what is taken off stands in the pattern.
        from = from.replacingFirst("{\(hole.name)}", by: "{\(hole.name)+1}")
        to += "{\(hole.name)}"
      } else {
        return nil
      }
    }
    guard let pattern = NamePattern(from), let name = NameTemplate(to, for: pattern) else {
      return nil
    }
    let rule = NameRules.Rule(pattern, name, origin: from)
    let isRight = pairs.allSatisfy { rule.name(for: TensorName($0.from))?.text == $0.to }
    return isRight && !first.from.isEmpty ? (from, to) : nil
  }

  /// The rule for a single pair.
  static func rule(for pair: Pair) -> (from: String, to: String) {
    (escaped(pair.from, "*?[]\\{}"), escaped(pair.to, "*\\{"))
  }

  private static let letters: [Character] = ["i", "e", "j", "k", "m", "n"]

  /// Digits, and what stands between them.
  private static func runs(_ text: String) -> [Substring] {
    var (runs, rest): ([Substring], Substring) = ([], text[...])
    while let first = rest.first {
      let isDigit = first.isASCII && first.isNumber
      let run = rest.prefix { ($0.isASCII && $0.isNumber) == isDigit }
      runs.append(run)
      rest = rest[run.endIndex...]
    }
    return runs
  }

  /// The stretches that all have, `nil` where they differ; `nil` if names do not have the same stretches.
  private static func common(_ all: [[Substring]]) -> [Substring?]? {
    guard let first = all.first, all.allSatisfy({ $0.count == first.count }) else { return nil }
    return first.indices.map { index in
      all.allSatisfy { $0[index] == first[index] } ? first[index] : nil
    }
  }

  private static func escaped(_ text: some StringProtocol, _ special: String) -> String {
    text.reduce(into: "") { $0 += special.contains($1) ? "\\\($1)" : String($1) }
  }
}

extension String {
  fileprivate func replacingFirst(_ text: String, by other: String) -> String {
    guard let range = firstRange(of: text) else { return self }
    return self[..<range.lowerBound] + other + self[range.upperBound...]
  }
}
