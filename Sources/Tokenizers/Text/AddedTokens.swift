import TensorCore

/// A token that was added to a vocabulary, and is found in a text before anything else.
public struct AddedToken: Sendable, Equatable {
  /// Its text.
  public let content: String
  /// Its id.
  public let id: Int
  /// Whether it means something to the model, and nothing to a reader.
  public let isSpecial: Bool
  /// Whether it is found only where no word goes on before or after it.
  let isWord: Bool
  /// Whether it takes the spaces before it.
  let takesLeft: Bool
  /// Whether it takes the spaces after it.
  let takesRight: Bool
  /// Whether it is looked for in the normalised text.
  let isNormalized: Bool

  init(
    _ content: String, id: Int, isSpecial: Bool, isWord: Bool = false, takesLeft: Bool = false,
    takesRight: Bool = false, isNormalized: Bool = false
  ) {
    self.content = content
    self.id = id
    self.isSpecial = isSpecial
    self.isWord = isWord
    self.takesLeft = takesLeft
    self.takesRight = takesRight
    self.isNormalized = isNormalized
  }
}

/// The added tokens of a tokenizer, and how they are found.
struct AddedTokens: Sendable {
  /// The tokens by id.
  private(set) var tokens: [Int: AddedToken] = [:]
  private(set) var ids: [[UInt8]: Int] = [:]
  /// What those that are looked for in the normalised text are there.
  private var normalized: [Int: [UInt8]] = [:]
  private var plain: Finder?
  private var inNormalized: Finder?

  /// Those that are looked for at each place, the longest first.
  private struct Finder {
    let trie: Trie
    let starts: [Bool]

    init?(_ words: [(word: [UInt8], id: Int)]) {
      let words = words.filter { !$0.word.isEmpty }
      guard !words.isEmpty else { return nil }
      trie = Trie(words)
      var starts = [Bool](repeating: false, count: 256)
      for word in words { starts[Int(word.word[0])] = true }
      self.starts = starts
    }
  }

  init() {}

  /// - Parameters:
  ///   - list: the tokens; the last one of an id, or of a text, counts.
  ///   - normalizer: what is done to texts.
  ///   - isFound: whether they are looked for in texts.
  init(
    _ list: [AddedToken], _ normalizer: Normalizer?, isFound: Bool = true
  ) throws(CheckpointError) {
    for token in list {
      tokens[token.id] = token
      ids[token.content.bytes] = token.id
    }
    for token in tokens.values where token.isNormalized {
      var text = CutText(token.content.bytes)
      try normalizer?.apply(&text)
      normalized[token.id] = text.text.bytes
    }
    guard isFound else { return }
    let ordered = tokens.values.sorted { $0.id < $1.id }
    plain = Finder(ordered.filter { !$0.isNormalized }.map { ($0.content.bytes, $0.id) })
    inNormalized = Finder(
      ordered.filter { $0.isNormalized }.map { (normalized[$0.id] ?? [], $0.id) })
  }

  /// The text that an id stands for when it is read back.
  func text(_ id: Int) -> [UInt8]? {
    guard let token = tokens[id] else { return nil }
    return normalized[id] ?? token.content.bytes
  }

  /// Whether a text is that of a special token.
  func isSpecial(_ text: [UInt8]) -> Bool {
    ids[text].flatMap { tokens[$0]?.isSpecial } ?? false
  }

  /// Cuts out the tokens, normalises what is left, and cuts out those that are in it.
  func extract(
    from text: inout CutText, _ normalizer: Normalizer?
  ) throws(CheckpointError) {
    try text.cut { text, part in cuts(text.bytes, part.range, plain) }
    try normalizer?.apply(&text)
    try text.cut { text, part in cuts(text.bytes, part.range, inNormalized) }
  }

  private func cuts(
    _ bytes: [UInt8], _ range: Range<Int>, _ finder: Finder?
  ) -> [(range: Range<Int>, token: Int?)] {
    guard let finder else { return [(range, nil)] }
    var result: [(range: Range<Int>, token: Int?)] = []
    var (position, done) = (range.lowerBound, range.lowerBound)
    while position < range.upperBound {
      guard finder.starts[Int(bytes[position])],
        let (end, id) = finder.trie.longest(of: bytes, position..<range.upperBound),
        let token = tokens[id]
      else {
        position += 1
        continue
      }
      let found = position..<end
      position = end
      guard !token.isWord || isAlone(bytes, found, in: range) else { continue }
      var (start, stop) = (found.lowerBound, found.upperBound)
      if token.takesLeft {
        while start > range.lowerBound {
          let before = scalarStart(bytes, before: start)
          guard isSpace(bytes, before) else { break }
          start = before
        }
        start = max(start, done)
      }
      if token.takesRight {
        while stop < range.upperBound, isSpace(bytes, stop) { stop += scalarLength(bytes[stop]) }
      }
      // Spaces that the one before took may be a part of this one, too: then both have them.
      guard start < stop else { continue }
      if done < start { result.append((done..<start, nil)) }
      result.append((start..<stop, id))
      done = stop
    }
    if done < range.upperBound { result.append((done..<range.upperBound, nil)) }
    return result
  }

  private func isSpace(_ bytes: [UInt8], _ index: Int) -> Bool {
    CharacterTable.shared.contains(decodeScalar(bytes, at: index).scalar, .space)
  }

  private func isWord(_ bytes: [UInt8], _ index: Int) -> Bool {
    CharacterTable.shared.contains(decodeScalar(bytes, at: index).scalar, .word)
  }

  private func isAlone(_ bytes: [UInt8], _ found: Range<Int>, in range: Range<Int>) -> Bool {
    if found.lowerBound > range.lowerBound,
      isWord(bytes, scalarStart(bytes, before: found.lowerBound))
    {
      return false
    }
    return found.upperBound == range.upperBound || !isWord(bytes, found.upperBound)
  }
}
