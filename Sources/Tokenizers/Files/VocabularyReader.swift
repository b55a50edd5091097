import TensorCore

/// Reads the large parts of a JSON file that has been checked.
struct VocabularyReader {
  private let json: CheckedJSON

  init(_ json: CheckedJSON) {
    self.json = json
  }

  private func fault(_ reason: String, _ offset: Int) -> CheckpointError {
    CheckpointError(.malformed(reason), offset: offset)
  }

  /// An object of words and their ids.
  func words(_ range: Range<Int>) throws(CheckpointError) -> WordTable {
    var words = WordTable(capacity: min(range.count / 16, VocabularyLimit.mostWords))
    var limit = VocabularyLimit()
    let isObject = try json.visitMembers(range) { (key, value) throws(CheckpointError) in
      guard let word = json.text(key), let id = number(value), id < Int(Int32.max) else {
        throw fault("a word's id is no number below \(Int32.max)", key.lowerBound)
      }
      try limit.add(word.count, "word", key.lowerBound)
      words.add(word, id: id)
    }
    guard isObject else { throw fault("the vocabulary is no object", range.lowerBound) }
    return words
  }

  private func number(_ range: Range<Int>) -> Int? {
    guard (1...10).contains(range.count) else { return nil }
    var value = 0
    for byte in json.bytes[range] {
      guard (0x30...0x39).contains(byte) else { return nil }
      value = value * 10 + Int(byte) - 0x30
    }
    return value
  }

  /// The two texts of a list of two.
  private func two(_ range: Range<Int>) -> ([UInt8], [UInt8])? {
    var parts: [[UInt8]?] = []
    guard (try? json.visitElements(range) { parts.append(json.text($0)) }) == true,
      parts.count == 2, let first = parts[0], let second = parts[1]
    else { return nil }
    return (first, second)
  }

  /// A list of pieces and their scores.
  func scoredPieces(
    _ range: Range<Int>
  ) throws(CheckpointError) -> (pieces: [[UInt8]], scores: [Double]) {
    var (pieces, scores): ([[UInt8]], [Double]) = ([], [])
    var limit = VocabularyLimit()
    let isList = try json.visitElements(range) { (element) throws(CheckpointError) in
      var values: [Range<Int>] = []
      guard try json.visitElements(element, { values.append($0) }), values.count == 2,
        let piece = json.text(values[0]), let score = serdeNumber(json.bytes[values[1]])
      else { throw fault("a piece is no text with its score", element.lowerBound) }
      try limit.add(piece.count, "piece", element.lowerBound)
      pieces.append(piece)
      scores.append(score)
    }
    guard isList else { throw fault("the vocabulary is no list", range.lowerBound) }
    return (pieces, scores)
  }

  /// A list of pairs, each `"a b"` or `["a", "b"]`.
  func pairs(
    _ range: Range<Int>, _ words: WordTable, prefix: [UInt8]
  ) throws(CheckpointError) -> PairTable {
    var pairs = PairTable(capacity: min(range.count / 16, PairTable.most))
    var rank: Int32 = 0
    let isList = try json.visitElements(range) { (element) throws(CheckpointError) in
      try PairTable.check(rank, element.lowerBound)
      guard let (left, right) = two(element) ?? json.text(element).flatMap(Self.split) else {
        throw fault("a merge is no pair of words", element.lowerBound)
      }
      guard pairs.add(left, right, rank: rank, words, prefix: prefix) else {
        throw fault("a merge of words that are not in the vocabulary", element.lowerBound)
      }
      rank += 1
    }
    guard isList else { throw fault("merges is no list", range.lowerBound) }
    return pairs
  }

  /// Shows the lines of a text, without what ends them; behind the last end there is none.
  static func visitLines(
    _ bytes: [UInt8], _ visit: (_ line: Range<Int>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 10) ?? bytes.count
      try visit(start..<end)
      start = end + 1
    }
  }

  /// The two words of a line.
  static func split(_ line: [UInt8]) -> ([UInt8], [UInt8])? {
    let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
    return parts.count == 2 ? (Array(parts[0]), Array(parts[1])) : nil
  }
}

extension PairTable {
  /// The most pairs of a file.
  static let most = 1 << 21

  /// - Throws: `CheckpointError` if a file has a pair of this rank, counted from 0, too many.
  static func check(_ rank: Int32, _ offset: Int) throws(CheckpointError) {
    guard rank < most else {
      throw CheckpointError(
        .limitExceeded("the number of merges", limit: most, found: Int(rank) + 1), offset: offset)
    }
  }

  /// Adds a pair of words.
  ///
  /// - Returns: `false` if one of them, or what they become, is not in the vocabulary.
  mutating func add(
    _ left: [UInt8], _ right: [UInt8], rank: Int32, _ words: WordTable, prefix: [UInt8] = []
  ) -> Bool {
    guard let first = words.id(of: left), let second = words.id(of: right),
      let whole = words.id(of: left + right.dropFirst(min(prefix.count, right.count)))
    else { return false }
    add(first, second, Merge(rank: rank, token: Int32(truncatingIfNeeded: whole)))
    return true
  }
}
