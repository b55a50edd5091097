extension Tokenizer {
  /// The same tokenizer with another longest text, and without padding, whatever its file says.
  ///
  /// - Parameters:
  ///   - longest: how many tokens a text has at most, the longer of two being cut first; `nil` for no limit.
  ///   - lowercasing: whether texts are read in lower case.
  public func cutting(to longest: Int?, lowercasing: Bool = false) -> Tokenizer {
    var tokenizer = self
    tokenizer.padding = nil
    tokenizer.truncation = longest.map {
      Truncation(length: $0, strategy: .longestFirst, isLeft: truncation?.isLeft ?? false)
    }
    if lowercasing {
      let own = normalizer.map { [$0] } ?? []
      tokenizer.normalizer = .sequence([.lowercase] + own)
    }
    return tokenizer
  }
}
