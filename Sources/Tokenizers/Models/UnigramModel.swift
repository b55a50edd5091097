import TensorCore

/// A language model of single pieces: of all ways to divide a text the one with the highest sum of scores
/// (Kudo, arXiv 1804.10959).
struct UnigramModel: Sendable {
  /// The pieces by id. There may be equal ones: their last id counts.
  let pieces: [[UInt8]]
  private let words: WordTable
  private let scores: [Double]
  private let trie: Trie
  let unknown: Int?
  private let byteTokens: [Int?]
  /// What a piece costs that is unknown.
  private let unknownScore: Double
  /// Whether it does as sentencepiece, which sums in single precision, and of the tokens of bytes gives all
  /// of the text to the last.
  private let isSentencePiece: Bool
  /// Pieces that are taken wherever they stand.
  private let favoured: Set<Int>

  init(
    pieces: [[UInt8]], scores: [Double], unknown: Int?, hasByteFallback: Bool,
    isSentencePiece: Bool = false, left out: Set<Int> = [], favoured: Set<Int> = [],
    lowest: Double? = nil
  ) {
    self.pieces = pieces
    self.scores = scores
    self.unknown = unknown
    self.isSentencePiece = isSentencePiece
    self.favoured = favoured
    var words = WordTable(capacity: pieces.count)
    for id in pieces.indices.reversed() { words.add(pieces[id], id: id) }
    self.words = words
    trie = Trie(
      pieces.indices.filter { !out.contains($0) && !pieces[$0].isEmpty }
        .map { (pieces[$0], $0) })
    byteTokens = hasByteFallback ? Tokenizers.byteTokens(in: words) : []
    unknownScore = (lowest ?? scores.min() ?? 0) - 10
  }

  /// Whether neighbours that are unknown are one: sentencepiece leaves them if they become bytes.
  private var fusesUnknown: Bool { !isSentencePiece || byteTokens.isEmpty }

  /// How many pieces there are.
  var count: Int { pieces.count }

  /// The id of a piece.
  func id(of word: [UInt8]) -> Int? { words.id(of: word) }

  /// A piece on the best way to where it ends.
  private struct Step {
    var id: Int32 = -1
    var start: Int32 = -1
    var score = 0.0
  }

  /// Adds the tokens of a part of a text to a list. Pieces that are no words have the token of the unknown,
  /// or those of their bytes, of which each stands for all of it.
  ///
  /// - Throws: `CheckpointError` if something is unknown, and there is no token for that.
  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, into result: inout [Piece]
  ) throws(CheckpointError) {
    let steps = try best(bytes, range)
    var (ways, end): ([(Range<Int>, Int)], Int) = ([], range.count)
    while end > 0 {
      let step = steps[end]
      let (start, id) = (Int(step.start), Int(step.id))
      if id == unknown, fusesUnknown, let last = ways.last, last.1 == id {
        ways[ways.count - 1].0 = start..<last.0.upperBound
      } else {
        ways.append((start..<end, id))
      }
      end = start
    }
    for (piece, id) in ways.reversed() {
      let range = range.lowerBound + piece.lowerBound..<range.lowerBound + piece.upperBound
      add(bytes, range, id, into: &result)
    }
  }

  /// A token, and the bytes that it stands for.
  struct Piece {
    let token: Int
    let range: Range<Int>
    /// Whether its text is that of the bytes, and not that of the token.
    let isUnknown: Bool
  }

  private func add(
    _ bytes: [UInt8], _ range: Range<Int>, _ id: Int, into result: inout [Piece]
  ) {
    if id != unknown { return result.append(Piece(token: id, range: range, isUnknown: false)) }
    if !isSentencePiece, let known = words.id(of: bytes, range) {
      return result.append(Piece(token: known, range: range, isUnknown: false))
    }
    if !byteTokens.isEmpty {
      let tokens = bytes[range].compactMap { byteTokens[Int($0)] }
      if tokens.count == range.count {
        let start = range.lowerBound..<range.lowerBound
        return result += tokens.enumerated().map { index, token in
          let hasAll = !isSentencePiece || index == tokens.count - 1
          return Piece(token: token, range: hasAll ? range : start, isUnknown: false)
        }
      }
    }
    result.append(Piece(token: id, range: range, isUnknown: true))
  }

  /// The best way to each position.
  private func best(_ bytes: [UInt8], _ range: Range<Int>) throws(CheckpointError) -> [Step] {
    var steps = [Step](repeating: Step(), count: range.count + 1)
    var position = 0
    while position < range.count {
      let score = steps[position].score
      let length = scalarLength(bytes[range.lowerBound + position])
      var (node, hasSingle, index) = (0, false, position)
      while index < range.count,
        let child = trie.child(of: node, bytes[range.lowerBound + index])
      {
        node = child
        index += 1
        guard let id = trie.id(node) else { continue }
        offer(&steps[index], id, position, rounded(self.score(id, index - position) + score))
        if index - position == length { hasSingle = true }
      }
      if !hasSingle {
        guard let unknown else { throw missing("a token for the unknown") }
        let end = min(position + length, range.count)
        offer(&steps[end], unknown, position, rounded(unknownScore + score))
      }
      position += length
    }
    return steps
  }

  @inline(__always)
  private func offer(_ step: inout Step, _ id: Int, _ start: Int, _ score: Double) {
    if step.start < 0 || score > step.score {
      step = Step(id: Int32(id), start: Int32(start), score: score)
    }
  }

  @inline(__always)
  private func rounded(_ score: Double) -> Double { isSentencePiece ? Double(Float(score)) : score }

  /// The score of a piece of so many bytes. That of a favoured one is what sentencepiece 0.2.3 gives it, whatever scores
  /// the others have.
  @inline(__always)
  private func score(_ id: Int, _ length: Int) -> Double {
    favoured.isEmpty || !favoured.contains(id) ? scores[id] : 0.1 * Double(length) - 0.1
  }
}
