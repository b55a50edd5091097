import TensorCore

/// The pairs of words that SentencePiece's tokenizers put together.
///
/// They have no list of pairs: any two words are put together that are a word as well, the one with the highest score
/// first. A list of pairs says the same if the pairs that make a word stand together.
enum PieceMerges {
  /// All pairs of words that are a word, those of higher scores first; pairs of a word as
  /// `transformers` orders them (5.23, convert_slow_tokenizer.py, `generate_merges`).
  ///
  /// - Parameter words: with their numbers and scores.
  static func all(_ words: [(text: String, id: Int, score: Double)]) -> [(String, String)] {
    let ids = Dictionary(words.map { (TensorName($0.text), $0.id) }) { first, _ in first }
    var found: [Pair] = []
    for word in words {
      let own = splits(of: word.text, ids).sorted {
        ($0.leftID, $0.rightID) < ($1.leftID, $1.rightID)
      }
      found += own.map { pair in
        var pair = pair
        pair.score = word.score
        return pair
      }
    }
    // Equal ones stay in the order of the words.
    let order = found.indices.sorted { x, y in
      let (a, b) = (found[x], found[y])
      if a.score != b.score { return a.score > b.score }
      if a.leftLength != b.leftLength { return a.leftLength > b.leftLength }
      return a.rightLength == b.rightLength ? x < y : a.rightLength > b.rightLength
    }
    return order.map { (found[$0].left, found[$0].right) }
  }

  /// The scores that say the same as a list of pairs: 0, −1, −2, … for words in the order in which pairs make them, then
  /// for those that no pair makes.
  ///
  /// - Parameters:
  ///   - merges: the list.
  ///   - words: with their numbers, in the order of these.
  /// - Returns: a score for each number; `nil` if pairs of a word stand apart, or are not all that there are.
  static func scores(
    of merges: [(String, String)], _ words: [(text: String, id: Int)]
  ) -> [Int: Double]? {
    let ids = Dictionary(words.map { (TensorName($0.text), $0.id) }) { first, _ in first }
    var scores: [Int: Double] = [:]
    var (last, count): (Int?, Int) = (nil, 0)
    var seen: Set<[Int]> = []
    for (left, right) in merges {
      guard let id = ids[TensorName(left + right)], let x = ids[TensorName(left)],
        let y = ids[TensorName(right)]
      else { continue }
      guard seen.insert([x, y]).inserted else { return nil }
      if id != last {
        guard scores.updateValue(-Double(count), forKey: id) == nil else { return nil }
        count += 1
        last = id
      }
    }
    guard seen.count == words.reduce(0, { $0 + splits(of: $1.text, ids).count }) else { return nil }
    for word in words where scores[word.id] == nil {
      scores[word.id] = -Double(count)
      count += 1
    }
    return scores
  }

  private struct Pair {
    let left: String
    let right: String
    let leftID: Int
    let rightID: Int
    /// In characters of Unicode.
    let leftLength: Int
    let rightLength: Int
    var score = 0.0
  }

  /// The pairs of words that a word is made of.
  private static func splits(of word: String, _ ids: [TensorName: Int]) -> [Pair] {
    let scalars = word.unicodeScalars
    var pairs: [Pair] = []
    var length = 0
    var place = scalars.startIndex
    while place < scalars.endIndex {
      scalars.formIndex(after: &place)
      length += 1
      if place == scalars.endIndex { break }
      let (left, right) = (String(scalars[..<place]), String(scalars[place...]))
      guard let x = ids[TensorName(left)], let y = ids[TensorName(right)] else { continue }
      pairs.append(
        Pair(
          left: left, right: right, leftID: x, rightID: y, leftLength: length,
          rightLength: scalars.distance(from: place, to: scalars.endIndex)))
    }
    return pairs
  }
}
