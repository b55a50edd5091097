import TensorCore

/// Runs a program over a part of a text, which is all that it sees.
///
/// Every step is counted, and choices that may have to be taken back are bounded, so that a pattern whose
/// work explodes ends in an error.
struct PatternMatcher {
  private struct Choice {
    var next: Int
    var position: Int
    /// For a run of characters: the least position to go back to. For a register: its number, below 0.
    var limit: Int
  }

  /// The most choices that wait.
  private static let maximumChoices = 1 << 20

  private let program: PatternProgram
  private let bytes: [UInt8]
  private let range: Range<Int>
  private var registers: [Int]
  private var choices: [Choice] = []
  private(set) var stepsLeft: Int

  /// - Parameter steps: the most steps to take; `nil` for as many as a long text may need.
  init(
    _ program: PatternProgram, _ bytes: [UInt8], _ range: Range<Int>, steps: Int? = nil
  ) {
    self.program = program
    self.bytes = bytes
    self.range = range
    registers = [Int](repeating: -1, count: program.registerCount)
    stepsLeft = steps ?? 1 << 25 + 512 * range.count
  }

  /// Where a match that begins at `start` ends.
  ///
  /// - Throws: `CheckpointError`: refused if it takes too many steps.
  mutating func end(from start: Int) throws(CheckpointError) -> Int? {
    choices.removeAll(keepingCapacity: true)
    return try run(0, start)
  }

  private mutating func run(_ first: Int, _ start: Int) throws(CheckpointError) -> Int? {
    let base = choices.count
    var (next, position) = (first, start)
    while true {
      stepsLeft -= 1
      if stepsLeft < 0 { throw Self.tooMuch }
      var matches = true
      switch program.instructions[next] {
      case .accept:
        choices.removeSubrange(base...)
        return position
      case .set(let index):
        if let length = length(of: index, at: position) {
          position += length
          next += 1
        } else {
          matches = false
        }
      case .run(let index, let least, let most, let greed):
        matches = try self.run(index, least, most, greed, &next, &position)
      case .split(let now, let later):
        try push(Choice(next: later, position: position, limit: .max))
        next = now
      case .jump(let target): next = target
      case .mark(let register):
        try push(Choice(next: -1, position: registers[register], limit: -1 - register))
        registers[register] = position
        next += 1
      case .progress(let register):
        if registers[register] == position { matches = false } else { next += 1 }
      case .look(let end, let back, let isNegative):
        var found = false
        if let start = back.map({ self.position(before: position, by: $0) }) ?? position {
          found = try run(next + 1, start) != nil
        }
        if found != isNegative { next = end } else { matches = false }
      case .atomic(let end):
        if let after = try run(next + 1, position) {
          (next, position) = (end, after)
        } else {
          matches = false
        }
      case .assertion(let assertion):
        if holds(assertion, position) { next += 1 } else { matches = false }
      }
      if !matches {
        guard let choice = goBack(to: base) else { return nil }
        (next, position) = choice
      }
    }
  }

  private static var tooMuch: CheckpointError {
    CheckpointError(.refused("a pattern takes more steps on this text than are allowed"))
  }

  @inline(__always)
  private mutating func push(_ choice: Choice) throws(CheckpointError) {
    if choices.count >= Self.maximumChoices { throw Self.tooMuch }
    choices.append(choice)
  }

  /// The last choice that was left; restores registers on the way.
  private mutating func goBack(to base: Int) -> (Int, Int)? {
    while choices.count > base, let choice = choices.popLast() {
      if choice.limit < 0 {
        registers[-1 - choice.limit] = choice.position
        continue
      }
      guard choice.limit != .max else { return (choice.next, choice.position) }
      // A run gives back one character.
      let position = scalarStart(bytes, before: choice.position)
      if position > choice.limit {
        choices.append(Choice(next: choice.next, position: position, limit: choice.limit))
      }
      return (choice.next, position)
    }
    return nil
  }

  /// How many bytes the next character takes, if it is in the set.
  @inline(__always)
  private func length(of index: Int, at position: Int) -> Int? {
    guard position < range.upperBound else { return nil }
    let byte = bytes[position]
    if byte < 0x80 { return program.sets[index].containsASCII(byte) ? 1 : nil }
    let (scalar, length) = decodeScalar(bytes, at: position)
    return program.sets[index].contains(scalar) ? length : nil
  }

  private mutating func run(
    _ index: Int, _ least: Int, _ most: Int, _ greed: PatternNode.Greed, _ next: inout Int,
    _ position: inout Int
  ) throws(CheckpointError) -> Bool {
    var count = 0
    while count < least {
      guard let length = length(of: index, at: position) else { return false }
      position += length
      count += 1
    }
    if greed == .lazy {
      try push(lazy: index, most - count, &next, position)
      return true
    }
    let limit = position
    while count < most, let length = length(of: index, at: position) {
      position += length
      count += 1
    }
    stepsLeft -= (position - limit) >> 2
    next += 1
    if greed == .greedy, position > limit {
      try push(Choice(next: next, position: position, limit: limit))
    }
    return true
  }

  /// A lazy run tries what follows first; each way of going on is a choice.
  private mutating func push(
    lazy index: Int, _ most: Int, _ next: inout Int, _ start: Int
  ) throws(CheckpointError) {
    next += 1
    var (position, ways, count): (Int, [Int], Int) = (start, [], 0)
    while count < most, let length = length(of: index, at: position) {
      position += length
      count += 1
      stepsLeft -= 1
      if ways.count >= Self.maximumChoices || stepsLeft < 0 { throw Self.tooMuch }
      ways.append(position)
    }
    for position in ways.reversed() {
      try push(Choice(next: next, position: position, limit: .max))
    }
  }

  // MARK: Assertions

  private func position(before position: Int, by count: Int) -> Int? {
    var position = position
    for _ in 0..<count {
      guard position > range.lowerBound else { return nil }
      position = scalarStart(bytes, before: position)
    }
    return position
  }

  private func holds(_ assertion: PatternNode.Assertion, _ position: Int) -> Bool {
    let (start, end) = (range.lowerBound, range.upperBound)
    switch assertion {
    case .textStart: return position == start
    case .textEnd: return position == end
    case .lastLineEnd:
      return position == end || position == end - 1 && bytes[position] == 10
    case .lineStart: return position == start || bytes[position - 1] == 10 && position < end
    case .lineEnd: return position == end || bytes[position] == 10
    case .wordBoundary: return isWord(before: position) != isWord(at: position)
    case .noWordBoundary: return isWord(before: position) == isWord(at: position)
    }
  }

  private func isWord(at position: Int) -> Bool {
    guard position < range.upperBound else { return false }
    return CharacterTable.shared.contains(
      decodeScalar(bytes, at: position).scalar, .wordOfPatterns)
  }

  private func isWord(before position: Int) -> Bool {
    guard position > range.lowerBound else { return false }
    return isWord(at: scalarStart(bytes, before: position))
  }
}
