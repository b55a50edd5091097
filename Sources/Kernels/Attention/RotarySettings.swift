/// How far rotary embeddings turn each pair of numbers from one position to the next.
///
/// Su et al.: arXiv 2104.09864, §3.2.2; the scalings are those of Hugging Face
/// (modeling_rope_utils.py, transformers 5.23), computed in double precision.
public struct RotarySettings: Sendable, Equatable {
  /// Over how many numbers of each head the wavelengths are spread.
  public var size: Int
  /// The base of the wavelengths, `rope_theta`.
  public var base: Double
  /// How frequencies are changed for texts longer than those of training.
  public var scaling: RotaryScaling

  /// Puts settings together.
  public init(size: Int, base: Double = 10000, scaling: RotaryScaling = .none) {
    self.size = size
    self.base = base
    self.scaling = scaling
  }

  /// How many pairs turn: of an odd count of numbers, as in Hugging Face, that of one more.
  public var pairs: Int { (size + 1) / 2 }

  /// How many numbers of each head are turned.
  public var turned: Int { 2 * pairs }
}

/// How rotary frequencies are changed for texts longer than those of training.
public enum RotaryScaling: Sendable, Equatable {
  /// Not at all: `rope_type` "default".
  case none
  /// All frequencies are divided by a factor. Chen et al.: arXiv 2306.15595, eq. 4.
  case linear(factor: Double)
  /// A base that grows with texts longer than `longest`, `max_position_embeddings`.
  case dynamic(factor: Double, longest: Int)
  /// Low frequencies are divided by a factor, high ones stay. Grattafiori et al.: arXiv 2407.21783, §3.2.
  case llama3(factor: Double, lowFrequency: Double, highFrequency: Double, trained: Int)
  /// Between dividing and leaving, by how often a pair turns within a text of training.
  case yarn(YaRN)
  /// A factor for each pair.
  case longRoPE(LongRoPE)
  /// Only the first `turned` pairs turn, with wavelengths as if there were no others. `size` is the whole
  /// head's.
  case proportional(factor: Double, turned: Int)
}

/// Peng et al.: "YaRN", arXiv 2309.00071, §3.2 to 3.4.
public struct YaRN: Sendable, Equatable {
  /// How much longer texts become.
  public var factor: Double
  /// The longest text of training, `original_max_position_embeddings`.
  public var trained: Int
  /// What cosines and sines are multiplied by, if the config says it.
  public var attentionFactor: Double?
  /// From how many turns within a text of training on frequencies stay.
  public var betaFast: Double
  /// Up to how many turns they are divided.
  public var betaSlow: Double
  /// Weights of the logarithm in the attention factor, which is the quotient of two.
  public var mscale: Double?
  /// That of the denominator.
  public var mscaleAllDimensions: Double?
  /// Whether the bounds of the ramp between both are whole numbers.
  public var truncates: Bool

  /// Describes YaRN. Zeros are as if nothing had been said, except for `attentionFactor`.
  public init(
    factor: Double, trained: Int, attentionFactor: Double? = nil, betaFast: Double? = nil,
    betaSlow: Double? = nil, mscale: Double? = nil, mscaleAllDimensions: Double? = nil,
    truncates: Bool = true
  ) {
    func unlessZero(_ number: Double?) -> Double? { number == 0 ? nil : number }
    self.factor = factor
    self.trained = trained
    self.attentionFactor = attentionFactor
    self.betaFast = unlessZero(betaFast) ?? 32
    self.betaSlow = unlessZero(betaSlow) ?? 1
    self.mscale = unlessZero(mscale)
    self.mscaleAllDimensions = unlessZero(mscaleAllDimensions)
    self.truncates = truncates
  }
}

/// Ding et al.: "LongRoPE", arXiv 2402.13753, with factors for short and for long texts.
public struct LongRoPE: Sendable, Equatable {
  /// What each pair's frequency is divided by in texts of up to `trained` positions.
  public var short: [Double]
  /// In longer ones.
  public var long: [Double]
  /// How much longer texts become: `factor`, or `max_position_embeddings` / `trained` if there is none.
  public var factor: Double
  /// The longest text of training, `original_max_position_embeddings`.
  public var trained: Int
  /// What cosines and sines are multiplied by, if the config says it.
  public var attentionFactor: Double?

  /// Describes LongRoPE.
  public init(
    short: [Double], long: [Double], factor: Double, trained: Int, attentionFactor: Double? = nil
  ) {
    self.short = short
    self.long = long
    self.factor = factor
    self.trained = trained
    self.attentionFactor = attentionFactor
  }
}
