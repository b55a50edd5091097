import Kernels
import Models

/// How the next token is chosen from the scores of all.
public struct TokenChoice: Sendable {
  /// What scores are divided by; `nil` takes the likeliest token.
  private let temperature: Double?
  private var random: SplitMix64

  /// The likeliest token, the first of equal ones.
  public static let likeliest = TokenChoice(temperature: nil, random: SplitMix64(seed: 0))

  /// A token drawn with the probabilities `softmax(scores / temperature)`.
  ///
  /// - Parameter seed: the same seed draws the same tokens.
  /// - Precondition: `temperature` is above 0.
  public static func drawn(temperature: Double, seed: UInt64) -> TokenChoice {
    precondition(temperature > 0, "nothing can be drawn at that temperature")
    return TokenChoice(temperature: temperature, random: SplitMix64(seed: seed))
  }

  /// What the scores of all tokens say: with which probability each is taken.
  func probabilities<Scalar: ComputeScalar>(_ scores: ArraySlice<Scalar>) -> [Double] {
    guard let temperature else {
      var certain = Array(repeating: 0.0, count: scores.count)
      certain[indexOfLargest(scores)] = 1
      return certain
    }
    let scaled = scores.map { Double($0) / temperature }
    let largest = scaled.max() ?? 0
    let weights = scaled.map { Double.exp($0 - largest) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }

  /// The next token.
  mutating func token<Scalar: ComputeScalar>(from scores: ArraySlice<Scalar>) -> Int {
    temperature == nil ? indexOfLargest(scores) : draw(probabilities(scores))
  }

  /// A token with the given probabilities, which add up to 1 or a little less.
  mutating func draw(_ probabilities: [Double]) -> Int {
    var left = Double.random(in: 0..<1, using: &random)
    for (token, probability) in probabilities.enumerated() {
      left -= probability
      if left < 0 { return token }
    }
    return probabilities.lastIndex { $0 > 0 } ?? 0
  }

  /// True with the given probability.
  mutating func happens(_ probability: Double) -> Bool {
    probability >= 1 || Double.random(in: 0..<1, using: &random) < probability
  }
}

/// The index of the largest score, the first of equal ones; NaN counts as the largest. As
/// `torch.argmax`.
private func indexOfLargest<Scalar: ComputeScalar>(_ scores: ArraySlice<Scalar>) -> Int {
  var best = scores.startIndex
  for index in scores.indices
  where scores[index] > scores[best] || scores[index].isNaN && !scores[best].isNaN {
    best = index
  }
  return best - scores.startIndex
}
