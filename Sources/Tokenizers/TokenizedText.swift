/// A text as tokens.
public struct TokenizedText: Sendable, Equatable {
  /// A token, and where it comes from.
  public struct Token: Sendable, Equatable {
    var token: Int32
    var from: UInt32
    var to: UInt32
    var wordIndex: Int32
    var type: Int32
    /// Which text it is from, the first or the second of a pair; none for tokens that were added.
    var source: Int8
    var isSpecialToken: Bool
    var isPadding = false

    /// The token's id.
    public var id: Int { Int(token) }
    /// The bytes of the text that it stands for.
    public var bytes: Range<Int> { Int(from)..<Int(max(from, to)) }
    /// The number of the word that it is a part of, counted from 0.
    public var word: Int? { wordIndex < 0 ? nil : Int(wordIndex) }
    /// What a model with segments is told of it: 0 or 1.
    public var typeID: Int { Int(type) }
    /// Which text it is from: 0, 1 the second one of a pair, nil neither.
    public var sequence: Int? { source < 0 ? nil : Int(source) }
    /// Whether it was added around the texts.
    public var isSpecial: Bool { isSpecialToken }
    /// Whether it counts: no padding.
    public var isAttended: Bool { !isPadding }
  }

  /// The tokens, in order.
  public internal(set) var tokens: [Token]
  /// Texts of tokens that are not those of their ids: what is unknown, or was found with the spaces around
  /// it. By the token's index.
  var texts: [Int: [UInt8]] = [:]

  /// The ids.
  public var ids: [Int] { tokens.map(\.id) }

  /// Removes all tokens but those of a range.
  mutating func keep(_ range: Range<Int>) {
    tokens = Array(tokens[range])
    texts = Dictionary(
      uniqueKeysWithValues: texts.filter { range.contains($0.key) }
        .map { ($0.key - range.lowerBound, $0.value) })
  }

  /// Adds the tokens of another encoding.
  mutating func append(_ other: TokenizedText) {
    for (index, text) in other.texts { texts[index + tokens.count] = text }
    tokens += other.tokens
  }

  /// Adds a token that stands for nothing in the text.
  mutating func append(special id: Int, type: Int, text: String) {
    texts[tokens.count] = text.bytes
    tokens.append(
      Token(
        token: Int32(truncatingIfNeeded: id), from: 0, to: 0, wordIndex: -1,
        type: Int32(truncatingIfNeeded: type), source: -1, isSpecialToken: true))
  }
}
