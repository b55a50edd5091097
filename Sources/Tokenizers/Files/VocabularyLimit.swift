import TensorCore

/// What the words of a file may take, counted while they are read.
struct VocabularyLimit {
  /// The most words, and the most bytes of all of them.
  static let mostWords = 1 << 20
  static let mostBytes = 16 << 20

  private var words = 0
  private var bytes = 0

  /// Counts a word.
  ///
  /// - Parameters:
  ///   - length: its bytes.
  ///   - what: what the file calls it.
  ///   - offset: where it stands.
  /// - Throws: `CheckpointError` if it is too long, or there are too many.
  mutating func add(_ length: Int, _ what: String, _ offset: Int) throws(CheckpointError) {
    words += 1
    bytes += length
    func check(_ what: String, _ limit: Int, _ found: Int) throws(CheckpointError) {
      guard found > limit else { return }
      throw CheckpointError(.limitExceeded(what, limit: limit, found: found), offset: offset)
    }
    guard length > WordTable.longestWord || words > Self.mostWords || bytes > Self.mostBytes else {
      return
    }
    try check("the length of a \(what)", WordTable.longestWord, length)
    try check("the number of \(what)s", Self.mostWords, words)
    try check("the bytes of all \(what)s", Self.mostBytes, bytes)
  }
}
