import TensorCore

/// A pattern as instructions for a machine that goes back to the last choice when it fails.
struct PatternProgram: Sendable {
  enum Instruction: Sendable {
    /// One character of a set.
    case set(Int)
    /// Between so many and so many characters of a set; `most` may be `Int.max`.
    case run(Int, least: Int, most: Int, PatternNode.Greed)
    /// Goes on at the first, and when that fails at the second.
    case split(Int, Int)
    case jump(Int)
    /// Remembers the position in a register.
    case mark(Int)
    /// Fails if nothing was taken since the register was set.
    case progress(Int)
    /// Runs what stands up to `end`; goes on after it if that matches, or if it does not.
    case look(end: Int, back: Int?, isNegative: Bool)
    /// Runs what stands up to `end`, and forgets its choices.
    case atomic(end: Int)
    case assertion(PatternNode.Assertion)
    /// The end of what a look or an atomic group runs, or of the pattern.
    case accept
  }

  /// The most instructions: repetitions of repetitions multiply.
  static let maximumCount = 1 << 14

  private(set) var instructions: [Instruction] = []
  private(set) var sets: [CharacterSet] = []
  private(set) var registerCount = 0

  /// - Throws: `CheckpointError`: unsupported if there are too many instructions.
  init(_ node: PatternNode) throws(CheckpointError) {
    try add(node)
    try emit(.accept)
  }

  private mutating func emit(_ instruction: Instruction) throws(CheckpointError) {
    guard instructions.count < Self.maximumCount else {
      throw CheckpointError(.unsupported("a pattern of too many parts"))
    }
    instructions.append(instruction)
  }

  private mutating func add(_ node: PatternNode) throws(CheckpointError) {
    switch node {
    case .sequence(let nodes): for node in nodes { try add(node) }
    case .alternatives(let nodes): try add(alternatives: nodes)
    case .set(let set): try emit(.set(index(of: set)))
    case .repetition(let node, let least, let most, let greed):
      try add(node, from: least, to: most, greed)
    case .look(let node, let isAhead, let isNegative):
      let start = instructions.count
      try emit(.accept)
      try add(node)
      try emit(.accept)
      instructions[start] = .look(
        end: instructions.count, back: isAhead ? nil : node.width, isNegative: isNegative)
    case .atomic(let node): try add(atomic: node)
    case .assertion(let assertion): try emit(.assertion(assertion))
    }
  }

  private mutating func add(atomic node: PatternNode) throws(CheckpointError) {
    let start = instructions.count
    try emit(.accept)
    try add(node)
    try emit(.accept)
    instructions[start] = .atomic(end: instructions.count)
  }

  private mutating func index(of set: CharacterSet) -> Int {
    sets.append(set)
    return sets.count - 1
  }

  private mutating func add(alternatives nodes: [PatternNode]) throws(CheckpointError) {
    var jumps: [Int] = []
    for (index, node) in nodes.enumerated() {
      guard index < nodes.count - 1 else {
        try add(node)
        break
      }
      let split = instructions.count
      try emit(.accept)
      try add(node)
      jumps.append(instructions.count)
      try emit(.accept)
      instructions[split] = .split(split + 1, instructions.count)
    }
    for jump in jumps { instructions[jump] = .jump(instructions.count) }
  }

  private mutating func add(
    _ node: PatternNode, from least: Int, to most: Int?, _ greed: PatternNode.Greed
  ) throws(CheckpointError) {
    if case .set(let set) = node {
      return try emit(.run(index(of: set), least: least, most: most ?? .max, greed))
    }
    if greed == .possessive {
      return try add(atomic: .repetition(node, least, most, .greedy))
    }
    for _ in 0..<least { try add(node) }
    guard let most else { return try add(endless: node, greed) }
    var splits: [Int] = []
    for _ in least..<most {
      splits.append(instructions.count)
      try emit(.accept)
      try add(node)
    }
    let end = instructions.count
    for split in splits {
      instructions[split] = greed == .lazy ? .split(end, split + 1) : .split(split + 1, end)
    }
  }

  private mutating func add(
    endless node: PatternNode, _ greed: PatternNode.Greed
  ) throws(CheckpointError) {
    let split = instructions.count
    try emit(.accept)
    let register = registerCount
    registerCount += 1
    try emit(.mark(register))
    try add(node)
    try emit(.progress(register))
    try emit(.jump(split))
    let end = instructions.count
    instructions[split] = greed == .lazy ? .split(end, split + 1) : .split(split + 1, end)
  }
}
