import Models

extension TokenizerClass {
  /// Pieces of words, as a vocab.txt is read.
  static let bert = TokenizerClass("BertTokenizer", for: ["bert"], .whole)
}
