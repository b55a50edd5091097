import Kernels
import Models
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How the distributions of the next token differ that two models give at the same places of the same texts.
public struct TokenAgreement: Sendable, Equatable {
  /// How many places there are; padding is none.
  public let places: Int
  /// The divergence of Kullback and Leibler, of B's distribution from A's, in nats: on average, and where it is largest.
  public let meanDivergence: Double
  public let largestDivergence: Double
  /// At how many places both find the same token the likeliest.
  public let sameTokens: Int

  /// Runs two models on the same inputs.
  ///
  /// - Returns: `nil` if they give no scores over the same words.
  /// - Throws: `CheckpointError` when weights cannot be read.
  init?<Scalar: ComputeScalar>(
    _ a: WeightGraph, _ b: WeightGraph, _ inputs: ModelInputs, _: Scalar.Type,
    _ progress: WeightProgress?
  ) throws(CheckpointError) {
    var (passA, passB) = (
      try ForwardPass<Scalar>(a, inputs: inputs, progress: progress),
      try ForwardPass<Scalar>(b, inputs: inputs)
    )
    while let (resultA, resultB) = try Self.advance(&passA, &passB) {
      for (x, y) in zip(resultA.outputs, resultB.outputs)
      where x.name == "logits" && x.name == y.name && x.value.shape == y.value.shape {
        let mask = inputs["attention_mask"].map(\.elements)
        guard let found = try TokenAgreement(x.value, y.value, mask) else { return nil }
        self = found
        return
      }
    }
    return nil
  }

  private static func advance<Scalar: ComputeScalar>(
    _ a: inout ForwardPass<Scalar>, _ b: inout ForwardPass<Scalar>
  ) throws(CheckpointError) -> (ForwardPass<Scalar>.StageResult, ForwardPass<Scalar>.StageResult)? {
    guard let x = try a.advance(), let y = try b.advance() else { return nil }
    return (x, y)
  }

  private init?<Scalar: ComputeScalar>(
    _ a: StateValue<Scalar>, _ b: StateValue<Scalar>, _ mask: [Int]?
  ) throws(CheckpointError) {
    // Scores of a whole text are no distributions of tokens.
    guard a.shape.count == 3, let words = a.shape.last, words > 0 else { return nil }
    let rows = a.shape[0] * a.shape[1]
    var meters = [DistributionMeter](repeating: DistributionMeter(), count: rows)
    for columns in a.blocks ?? b.blocks ?? [0..<words] {
      let (x, y) = (try a.block(columns), try b.block(columns))
      for row in 0..<rows {
        for column in 0..<columns.count {
          let place = row * columns.count + column
          meters[row].add(Double(x.elements[place]), Double(y.elements[place]))
        }
      }
    }
    if let mask, mask.count == rows {
      meters = zip(meters, mask).filter { $1 != 0 }.map(\.0)
    }
    guard !meters.isEmpty else { return nil }
    let divergences = meters.map(\.divergence)
    places = meters.count
    meanDivergence = divergences.reduce(0, +) / Double(meters.count)
    largestDivergence = divergences.max() ?? 0
    sameTokens = meters.count(where: \.isSameToken)
  }
}

/// Two distributions over the same words, of which scores are given one word after the other.
private struct DistributionMeter {
  private var a = LogSum()
  private var b = LogSum()
  /// The sum of e^(a − largest a) · (a − b).
  private var weighted = 0.0

  mutating func add(_ x: Double, _ y: Double) {
    let shrinking = a.add(x)
    _ = b.add(y)
    weighted = weighted * shrinking + exp(x - a.largest) * (x - y)
  }

  /// Of the second from the first; rounding aside, never negative.
  var divergence: Double { max(0, weighted / a.sum - (a.value - b.value)) }

  var isSameToken: Bool { a.place == b.place }
}

/// log Σ e^x, and where the largest x is.
private struct LogSum {
  private(set) var largest = -Double.infinity
  private(set) var sum = 0.0
  private(set) var place = 0
  private var count = 0

  var value: Double { largest + log(sum) }

  /// Adds one, and says by what factor sums that are relative to the largest shrink.
  mutating func add(_ x: Double) -> Double {
    defer { count += 1 }
    guard x > largest else {
      sum += exp(x - largest)
      return 1
    }
    let factor = largest == -.infinity ? 0 : exp(largest - x)
    sum = sum * factor + 1
    (largest, place) = (x, count)
    return factor
  }
}
