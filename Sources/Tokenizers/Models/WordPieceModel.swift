import TensorCore

/// WordPiece: the longest word of the vocabulary that a word begins with, then the longest one that the rest
/// begins with; a word of which something is left is unknown.
struct WordPieceModel: Sendable {
  let words: WordTable
  let unknownWord: String
  let prefix: [UInt8]
  let longestWord: Int
  /// The trie of words, and that of words after the prefix.
  private let starts: Trie
  private let continuations: Trie

  init(words: WordTable, unknownWord: String, prefix: String, longestWord: Int) {
    self.words = words
    self.unknownWord = unknownWord
    self.prefix = prefix.bytes
    self.longestWord = longestWord
    let entries = (0..<words.count).map { words.entry($0) }
    let prefix = self.prefix
    starts = Trie(entries)
    continuations =
      prefix.isEmpty
      ? starts
      : Trie(
        entries.filter { $0.word.starts(with: prefix) && $0.word.count > prefix.count }
          .map { (Array($0.word.dropFirst(prefix.count)), $0.id) })
  }

  /// Adds the tokens of a part of a text to a list.
  ///
  /// - Throws: `CheckpointError` if a word is unknown, and there is no token for that.
  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, into result: inout [Symbol]
  ) throws(CheckpointError) {
    let first = result.count
    let characters = bytes[range].reduce(0) { isContinuation($1) ? $0 : $0 + 1 }
    var position = range.lowerBound
    while characters <= longestWord, position < range.upperBound {
      let trie = position == range.lowerBound ? starts : continuations
      guard let (end, id) = trie.longest(of: bytes, position..<range.upperBound) else { break }
      result.append(Symbol(token: Int32(id), length: Int32(end - position)))
      position = end
    }
    guard position < range.upperBound else { return }
    guard let unknown = words.id(of: unknownWord.bytes) else { throw missing(unknownWord) }
    result.removeSubrange(first...)
    result.append(Symbol(token: Int32(unknown), length: Int32(range.count)))
  }
}

/// There is no token for what is unknown.
func missing(_ unknownWord: String) -> CheckpointError {
  CheckpointError(
    .refused("the text has a word that is not in the vocabulary, and neither is \"\(unknownWord)\"")
  )
}

/// A word is one token, or unknown.
struct WordLevelModel: Sendable {
  let words: WordTable
  let unknownWord: String

  /// Adds the token of a part of a text to a list.
  ///
  /// - Throws: `CheckpointError` if it is unknown, and there is no token for that.
  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, into result: inout [Symbol]
  ) throws(CheckpointError) {
    guard let id = words.id(of: bytes, range) ?? words.id(of: unknownWord.bytes) else {
      throw missing(unknownWord)
    }
    result.append(Symbol(token: Int32(id), length: Int32(range.count)))
  }
}
