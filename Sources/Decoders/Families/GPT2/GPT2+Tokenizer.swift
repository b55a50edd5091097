import Models

extension TokenizerClass {
  /// Pairs of bytes, nothing around a text.
  static let gpt2 = TokenizerClass("GPT2Tokenizer", for: ["gpt2"], .whole)
}
