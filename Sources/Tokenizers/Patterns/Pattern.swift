import TensorCore

/// What a text is cut at or searched for.
struct Pattern: Sendable {
  private let program: PatternProgram
  /// The bytes that a match can begin with; `nil` if it can be empty.
  private let firstBytes: [Bool]?

  /// - Throws: `CheckpointError`: unsupported, with the place in the pattern.
  init(_ expression: String, dialect: PatternDialect = .oniguruma) throws(CheckpointError) {
    let node = try PatternParser.parse(expression, dialect: dialect)
    program = try PatternProgram(node)
    firstBytes = node.firstBytes
  }

  /// The pattern that finds a text as it is.
  init(text: String) throws(CheckpointError) {
    let node = PatternNode.sequence(text.unicodeScalars.map { .set(CharacterSet($0.value)) })
    program = try PatternProgram(node)
    firstBytes = node.firstBytes
  }

  /// Shows the matches in a part of a text from left to right. An empty one does not follow directly on
  /// another match.
  ///
  /// - Throws: `CheckpointError`: refused if the pattern takes too many steps.
  func visitMatches(
    in bytes: [UInt8], _ range: Range<Int>, _ visit: (Range<Int>) -> Void
  ) throws(CheckpointError) {
    var matcher = PatternMatcher(program, bytes, range)
    var (start, lastEnd): (Int, Int?) = (range.lowerBound, nil)
    while start <= range.upperBound {
      if let firstBytes {
        while start < range.upperBound, !firstBytes[Int(bytes[start])] { start += 1 }
        guard start < range.upperBound else { return }
      }
      let end = try matcher.end(from: start)
      if let end, end > start || lastEnd != end {
        visit(start..<end)
        lastEnd = end
        if end > start {
          start = end
          continue
        }
      }
      guard start < range.upperBound else { return }
      start += scalarLength(bytes[start])
    }
  }

  /// Whether a text begins with a match.
  ///
  /// - Parameter steps: the steps that are left, of which those that are taken are taken off.
  /// - Throws: `CheckpointError`: refused if the pattern takes more.
  func startsMatch(in bytes: [UInt8], steps: inout Int) throws(CheckpointError) -> Bool {
    var matcher = PatternMatcher(program, bytes, 0..<bytes.count, steps: steps)
    defer { steps = matcher.stepsLeft }
    return try matcher.end(from: 0) != nil
  }

  /// The parts of a text, those that match and those between, in order.
  func parts(
    of bytes: [UInt8], _ range: Range<Int>
  ) throws(CheckpointError) -> [(range: Range<Int>, isMatch: Bool)] {
    var parts: [(Range<Int>, Bool)] = []
    parts.reserveCapacity(range.count / 4)
    var end = range.lowerBound
    try visitMatches(in: bytes, range) { match in
      if match.lowerBound > end { parts.append((end..<match.lowerBound, false)) }
      parts.append((match, true))
      end = match.upperBound
    }
    if end < range.upperBound { parts.append((end..<range.upperBound, false)) }
    return parts
  }
}

extension PatternNode {
  /// The bytes that a match can begin with; `nil` if it can be empty.
  fileprivate var firstBytes: [Bool]? {
    switch self {
    case .set(let set):
      return (0..<256).map { $0 < 128 ? set.containsASCII(UInt8($0)) : $0 >= 0xC2 }
    case .sequence(let nodes):
      for node in nodes {
        if case .look = node { continue }
        if case .assertion = node { continue }
        return node.possibleFirstBytes(then: nodes)
      }
      return nil
    case .alternatives(let nodes):
      var result = [Bool](repeating: false, count: 256)
      for node in nodes {
        guard let bytes = node.firstBytes else { return nil }
        for index in 0..<256 where bytes[index] { result[index] = true }
      }
      return result
    case .repetition(let node, let least, _, _): return least > 0 ? node.firstBytes : nil
    case .atomic(let node): return node.firstBytes
    case .look, .assertion: return nil
    }
  }

  /// The same of the beginning of a sequence, whose first parts may be empty.
  private func possibleFirstBytes(then nodes: [PatternNode]) -> [Bool]? {
    var result = [Bool](repeating: false, count: 256)
    for node in nodes {
      switch node {
      case .look, .assertion: continue
      case .repetition(let inner, 0, _, _):
        guard let bytes = inner.firstBytes else { return nil }
        for index in 0..<256 where bytes[index] { result[index] = true }
      default:
        guard let bytes = node.firstBytes else { return nil }
        for index in 0..<256 where bytes[index] { result[index] = true }
        return result
      }
    }
    return nil
  }
}
