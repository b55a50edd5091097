#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// By what angle each pair turns from one position to the next, and what cosines and sines are multiplied by.
public struct RotaryFrequencies: Sendable, Equatable {
  /// Radians a position, one for each pair.
  public var inverse: [Double]
  /// What cosines and sines are multiplied by.
  public var attentionFactor: Double

  /// Wraps frequencies that a checkpoint stores.
  public init(inverse: [Double], attentionFactor: Double = 1) {
    self.inverse = inverse
    self.attentionFactor = attentionFactor
  }
}

extension RotarySettings {
  /// Whether frequencies depend on how long a text is.
  public var dependsOnLength: Bool {
    switch scaling {
    case .dynamic, .longRoPE: true
    default: false
    }
  }

  /// The longest text whose frequencies are those of shorter ones; `nil` if those of all texts are.
  public var longest: Int? {
    switch scaling {
    case .dynamic(_, let longest): longest
    case .longRoPE(let factors): factors.trained
    default: nil
    }
  }

  /// Whether they change with every token of a text that is long enough.
  public var growsWithLength: Bool {
    if case .dynamic = scaling { true } else { false }
  }

  /// The frequencies for a text.
  ///
  /// - Parameter length: the largest position plus one; nothing but `dynamic` and `longRoPE` look at it.
  public func frequencies(length: Int) -> RotaryFrequencies {
    switch scaling {
    case .none: RotaryFrequencies(inverse: plain)
    case .linear(let factor): RotaryFrequencies(inverse: plain.map { $0 / factor })
    case .dynamic(let factor, let longest):
      RotaryFrequencies(inverse: dynamic(factor, longest: longest, length: length))
    case .llama3: RotaryFrequencies(inverse: (0..<pairs).map(llama3Frequency))
    case .yarn(let yarn):
      RotaryFrequencies(inverse: interpolated(yarn), attentionFactor: yarn.effectiveAttentionFactor)
    case .longRoPE(let factors):
      RotaryFrequencies(
        inverse: zip(periods(base: base), length > factors.trained ? factors.long : factors.short)
          .map { 1 / ($1 * $0) },
        attentionFactor: factors.effectiveAttentionFactor)
    case .proportional(let factor, let turned):
      RotaryFrequencies(
        inverse: plain.enumerated().map { $0.offset < turned ? $0.element / factor : 0 })
    }
  }

  /// The frequency of a pair before it is scaled: arXiv 2104.09864, eq. 15.
  public func plainFrequency(_ pair: Int) -> Double { 1 / period(pair, base: base) }

  /// The cosine and the sine of the angle by which a pair is turned at a position, before frequencies are scaled.
  public func plainTurn(_ pair: Int, at position: Int) -> (cosine: Double, sine: Double) {
    let angle = Double(position) / period(pair, base: base)
    return (cos(angle), sin(angle))
  }

  /// The frequency of a pair after arXiv 2407.21783, §3.2, if that is the scaling; else the plain one.
  public func llama3Frequency(_ pair: Int) -> Double {
    let frequency = plainFrequency(pair)
    guard case .llama3(let factor, let low, let high, let trained) = scaling else {
      return frequency
    }
    return llama3(frequency, factor, low: low, high: high, trained: Double(trained))
  }

  /// base^(2i/size), the wavelength of pair i divided by 2π.
  private func period(_ pair: Int, base: Double) -> Double {
    pow(base, Double(2 * pair) / Double(size))
  }

  private func periods(base: Double) -> [Double] {
    (0..<pairs).map { period($0, base: base) }
  }

  private var plain: [Double] { (0..<pairs).map(plainFrequency) }

  private func dynamic(_ factor: Double, longest: Int, length: Int) -> [Double] {
    let growth = factor * Double(max(length, longest)) / Double(longest) - (factor - 1)
    let base = base * pow(growth, Double(size) / Double(size - 2))
    return periods(base: base).map { 1 / $0 }
  }

  private func llama3(
    _ frequency: Double, _ factor: Double, low: Double, high: Double, trained: Double
  ) -> Double {
    let wavelength = 2 * Double.pi / frequency
    if wavelength > trained / low { return frequency / factor }
    if wavelength < trained / high { return frequency }
    let smooth = (trained / wavelength - low) / (high - low)
    return (1 - smooth) * frequency / factor + smooth * frequency
  }

  /// YaRN, §3.2: a pair that turns often stays, one that turns seldom is interpolated, and between the two
  /// there is a ramp.
  private func interpolated(_ yarn: YaRN) -> [Double] {
    let (low, high) = ramp(yarn)
    let width = low == high ? 0.001 : high - low
    return periods(base: base).enumerated().map { pair, period in
      let interpolation = min(max((Double(pair) - low) / width, 0), 1)
      let extrapolation = 1 - interpolation
      return 1 / (yarn.factor * period) * (1 - extrapolation) + 1 / period * extrapolation
    }
  }

  /// Between which pairs the ramp is.
  private func ramp(_ yarn: YaRN) -> (low: Double, high: Double) {
    func pair(turning times: Double) -> Double {
      Double(size) * log(Double(yarn.trained) / (times * 2 * Double.pi)) / (2 * log(base))
    }
    var (low, high) = (pair(turning: yarn.betaFast), pair(turning: yarn.betaSlow))
    if yarn.truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    return (max(low, 0), min(high, Double(size - 1)))
  }
}

extension YaRN {
  /// What is given, else what follows from the factor: YaRN, eq. 22.
  fileprivate var effectiveAttentionFactor: Double {
    if let attentionFactor { return attentionFactor }
    guard let mscale, let mscaleAllDimensions else { return magnitude(1) }
    return magnitude(mscale) / magnitude(mscaleAllDimensions)
  }

  /// What a weight of the logarithm makes of numbers: `0.1 · weight · ln(factor) + 1`.
  public func magnitude(_ weight: Double) -> Double {
    factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1
  }
}

extension LongRoPE {
  fileprivate var effectiveAttentionFactor: Double {
    if let attentionFactor { return attentionFactor }
    return factor <= 1 ? 1 : (1 + log(factor) / log(Double(trained))).squareRoot()
  }
}
