import Kernels

/// The tokens that say times in a text that is written of a sound, and when they come: as the first one, and in pairs
/// of one that ends a part and one that begins the next, never going back.
///
/// Radford et al., arXiv 2212.04356, §2.3; as Hugging Face's `generate` sees to it (generation/logits_process.py).
public struct TimeTokens: Sendable, Equatable {
  /// The first of them, which says 0; those behind it say later times. The token before it says that there are none.
  public var first: Int
  /// How many tokens behind that the first time of a text may be; `nil` without limit.
  public var latestStart: Int?

  /// Describes tokens.
  public init(first: Int, latestStart: Int? = nil) {
    (self.first, self.latestStart) = (first, latestStart)
  }

  /// Scores of the next token, where what must not come is −∞.
  ///
  /// - Parameters:
  ///   - added: the tokens that were added so far.
  ///   - endToken: the one before which none is a word, so that nothing but a time comes before it.
  func applied<Scalar: ComputeScalar>(
    to scores: ArraySlice<Scalar>, behind added: ArraySlice<Int>, endToken: Int?
  ) -> ArraySlice<Scalar> {
    var scores = scores
    func forbid(_ tokens: Range<Int>) {
      for token in tokens.clamped(to: 0..<scores.count) {
        scores[scores.startIndex + token] = -.infinity
      }
    }
    forbid(first - 1..<first)
    let isTime = added.last.map { $0 >= first } ?? false
    let wasTime = added.count < 2 || added[added.endIndex - 2] >= first
    if isTime {
      // Behind a pair no third one, and behind the first of a pair no word.
      if wasTime {
        forbid(first..<max(first, scores.count))
      } else {
        forbid(0..<max(0, endToken ?? 0))
      }
    }
    if let last = added.last(where: { $0 >= first }) {
      forbid(first..<(isTime && !wasTime ? last : last + 1))
    }
    if added.isEmpty {
      forbid(0..<max(0, first))
      if let latestStart {
        let (end, overflows) = first.addingReportingOverflow(latestStart)
        if !overflows, end < scores.count { forbid(max(0, end + 1)..<scores.count) }
      }
    }
    if isTimeLikelier(scores) { forbid(0..<max(0, first)) }
    return scores
  }

  /// Whether all times together are likelier than each other token.
  private func isTimeLikelier<Scalar: ComputeScalar>(_ scores: ArraySlice<Scalar>) -> Bool {
    let start = scores.startIndex + min(max(0, first), scores.count)
    let largest = scores.max().map { Double($0) } ?? -.infinity
    guard largest.isFinite, start < scores.endIndex else { return false }
    let times = scores[start...].reduce(0.0) { $0 + Double.exp(Double($1) - largest) }
    let word = scores[..<start].max().map { Double($0) } ?? -.infinity
    return times > Double.exp(word - largest)
  }
}
