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

  /// Limits; nothing given means none.
  public init(first: Int? = nil, last: [Int] = [], forbidden: [[Int]] = []) {
    self.first = first
    self.last = last
    self.forbidden = forbidden
  }

  /// Scores of the token behind a text, where what must not come is −∞, and so is all but what must.
  ///
  /// - Parameters:
  ///   - scores: one for each word.
  ///   - text: the tokens so far.
  ///   - isLast: whether it is the last token that is added.
  public func applied<Scalar: ComputeScalar>(
    to scores: ArraySlice<Scalar>, behind text: ArraySlice<Int>, isLast: Bool
  ) -> ArraySlice<Scalar> {
    if isLast, !last.isEmpty { return certain(last, among: scores) }
    if let first, text.count == 1 { return certain([first], among: scores) }
    var scores = scores
    for sequence in forbidden {
      guard let token = sequence.last, (0..<scores.count).contains(token),
        sequence.count == 1 || sequence.count <= text.count,
        text.suffix(sequence.count - 1).elementsEqual(sequence.dropLast())
      else { continue }
      scores[scores.startIndex + token] = -.infinity
    }
    return scores
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
