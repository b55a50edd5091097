public import Kernels
import TensorCore

/// What a text that is continued must have, and what it must not, as Hugging Face's `generate` sees to it
/// (generation/logits_process.py).
public struct TokenLimits: Sendable, Equatable {
  /// The token behind a text of one token.
  public var first: Int?
  /// The tokens of which one is the last that is added.
  public var last: [Int]
  /// Sequences of tokens that do not come up.
  public var forbidden: [[Int]]
  /// How many tokens a text has before it may end, the prompt included.
  public var leastLength = 0
  /// How many tokens are added before it may end.
  public var leastAdded = 0
  /// No sequence of so many tokens comes twice; 0 for none.
  public var unrepeated = 0
  /// What the scores of tokens that have come are divided by, or multiplied with where they are negative (Keskar et al.,
  /// arXiv 1909.05858, §4.1).
  public var penalty = 1.0
  /// Tokens that never come.
  public var suppressed: [Int] = []
  /// Tokens that are not the first one added; where that is forced, not the second.
  public var suppressedFirst: [Int] = []
  /// The tokens that say times, where a text has times.
  public var times: TimeTokens?

  /// Limits; nothing given means none.
  public init(first: Int? = nil, last: [Int] = [], forbidden: [[Int]] = []) {
    self.first = first
    self.last = last
    self.forbidden = forbidden
  }

  /// Scores of the token behind a text, where what must not come is −∞, and so is all but what must: in the order of
  /// `GenerationMixin._get_logits_processor` (generation/utils.py, 5.x).
  ///
  /// - Parameters:
  ///   - scores: one for each word.
  ///   - text: the tokens so far.
  ///   - added: how many of them were added.
  ///   - padding: how many of them, at the beginning, are none that have come.
  ///   - endTokens: those after which a text ends.
  ///   - isLast: whether it is the last token that is added.
  public func applied<Scalar: ComputeScalar>(
    to scores: ArraySlice<Scalar>, behind text: ArraySlice<Int>, added: Int, padding: Int = 0,
    endTokens: [Int], isLast: Bool
  ) -> ArraySlice<Scalar> {
    var scores = scores
    func forbid(_ tokens: some Sequence<Int>) {
      for token in tokens where (0..<scores.count).contains(token) {
        scores[scores.startIndex + token] = -.infinity
      }
    }
    if penalty != 1 {
      let factor = Scalar(penalty)
      for token in Set(text.dropFirst(padding)) where (0..<scores.count).contains(token) {
        let place = scores.startIndex + token
        scores[place] = scores[place] < 0 ? scores[place] * factor : scores[place] / factor
      }
    }
    forbid(repeating(text))
    forbid(ending(text))
    if text.count < leastLength || added < leastAdded { forbid(endTokens) }
    if isLast, !last.isEmpty {
      scores = certain(last, among: scores)
    } else if let first, text.count == 1 {
      scores = certain([first], among: scores)
    }
    forbid(suppressed)
    let isForced = first != nil && text.count - added == 1
    if added == (isForced ? 1 : 0) { forbid(suppressedFirst) }
    return times?.applied(to: scores, behind: text.suffix(added), endToken: endTokens.first)
      ?? scores
  }

  /// The tokens after which the text would have a sequence twice.
  private func repeating(_ text: ArraySlice<Int>) -> [Int] {
    guard unrepeated > 0, text.count >= unrepeated else { return [] }
    let end = text.suffix(unrepeated - 1)
    return (text.startIndex...text.endIndex - unrepeated).compactMap { start in
      let place = start + unrepeated - 1
      return text[start..<place].elementsEqual(end) ? text[place] : nil
    }
  }

  /// The tokens after which the text would end with a forbidden sequence.
  private func ending(_ text: ArraySlice<Int>) -> [Int] {
    var tokens: [Int] = []
    for sequence in forbidden {
      guard let token = sequence.last,
        sequence.count == 1 || sequence.count <= text.count,
        text.suffix(sequence.count - 1).elementsEqual(sequence.dropLast())
      else { continue }
      tokens.append(token)
    }
    return tokens
  }

  private func certain<Scalar: ComputeScalar>(
    _ tokens: [Int], among scores: ArraySlice<Scalar>
  ) -> ArraySlice<Scalar> {
    var certain = Array(repeating: -Scalar.infinity, count: scores.count)
    for token in tokens where certain.indices.contains(token) { certain[token] = 0 }
    return certain[...]
  }
}

extension ConfigReader {
  /// What the config says of generated texts: `forced_bos_token_id`, `forced_eos_token_id` and `bad_words_ids`.
  ///
  /// - Parameters:
  ///   - last: the last token where the config says nothing of it.
  ///   - endTokens: a sequence that is one of them alone is not forbidden.
  package mutating func tokenLimits(last: [Int], endTokens: [Int]) -> TokenLimits {
    TokenLimits(
      first: token("forced_bos_token_id", default: nil, on: .nothing),
      last: tokens("forced_eos_token_id", default: last, on: .nothing),
      forbidden: forbiddenSequences().filter { $0.count != 1 || !endTokens.contains($0[0]) })
  }

  private mutating func forbiddenSequences() -> [[Int]] {
    fact(
      "bad_words_ids", .other, on: .nothing, default: [[Int]](), mayBeNull: true,
      json: { .array($0.map { .array($0.map { .number($0) }) }) }
    ) { value in
      let lists = value.elements?.map { list in (list.elements ?? []).map(\.int) }
      guard let lists, lists.allSatisfy({ !$0.isEmpty && !$0.contains(nil) }) else {
        return .fault("must be lists of ids, is \(value.text())")
      }
      return .value(lists.map { $0.compactMap(\.self) })
    }
  }
}
