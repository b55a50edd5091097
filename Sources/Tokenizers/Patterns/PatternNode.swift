/// A pattern as it is written.
indirect enum PatternNode: Sendable {
  /// One of the alternatives, tried in order.
  case alternatives([PatternNode])
  case sequence([PatternNode])
  /// One character of a set.
  case set(CharacterSet)
  case repetition(PatternNode, Int, Int?, Greed)
  /// What follows, or stands before, must match or must not.
  case look(PatternNode, isAhead: Bool, isNegative: Bool)
  /// The first way to match is the only one.
  case atomic(PatternNode)
  case assertion(Assertion)

  /// How many times a repetition repeats, given the choice.
  enum Greed: Sendable {
    case greedy
    case lazy
    case possessive
  }

  /// What is true of a position.
  enum Assertion: Sendable {
    case textStart
    case textEnd
    /// The end, or before a last new line.
    case lastLineEnd
    case lineStart
    case lineEnd
    case wordBoundary
    case noWordBoundary
  }

  /// How many characters it takes, if that is always the same number.
  var width: Int? {
    switch self {
    case .set: return 1
    case .look, .assertion: return 0
    case .atomic(let node): return node.width
    case .sequence(let nodes):
      var sum = 0
      for node in nodes {
        guard let width = node.width else { return nil }
        sum += width
      }
      return sum
    case .alternatives(let nodes):
      let widths = nodes.map(\.width)
      return widths.allSatisfy { $0 == widths.first } ? widths.first ?? nil : nil
    case .repetition(let node, let least, let most, _):
      guard least == most, let width = node.width else { return nil }
      return width * least
    }
  }
}
