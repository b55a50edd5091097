import Models

extension TokenizerClass {
  /// Pieces of words.
  static let bert = TokenizerClass(
    "BertTokenizer", for: ["bert"], .lines { TokenizerPlan.wordPieces($0) })
}
