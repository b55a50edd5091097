public import Kernels

/// The tokens behind the first one with which a text begins that is written of a sound: of its language, and of what is
/// done.
///
/// Radford et al., arXiv 2212.04356, §2.3.
public struct TextOpening: Sendable, Equatable {
  /// The tokens in order; `nil` for that of the language that the model finds likeliest behind the first token.
  public var tokens: [Int?]
  /// The tokens of all languages.
  public var languages: [Int]

  /// Describes a beginning.
  ///
  /// - Precondition: there is a language if one is to be found.
  public init(tokens: [Int?], languages: [Int]) {
    precondition(!tokens.contains(nil) || !languages.isEmpty, "no language can be found")
    (self.tokens, self.languages) = (tokens, languages)
  }

  /// The tokens of one text, whose first token's scores are given.
  public func tokens<Scalar: ComputeScalar>(behind scores: ArraySlice<Scalar>) -> [Int] {
    let known = languages.filter { (0..<scores.count).contains($0) }.sorted()
    func score(_ token: Int) -> Scalar { scores[scores.startIndex + token] }
    var best = known.first
    for token in known {
      if let other = best, score(token) > score(other) { best = token }
    }
    return tokens.map { $0 ?? best ?? languages[0] }
  }
}
