public import TensorCore

/// What one of Hugging Face's feature extractors does to a sound before a model reads it: a class with its defaults, of
/// which a `preprocessor_config.json` changes some.
public struct SoundProcessor: Sendable, Equatable {
  /// The name of the class.
  public let name: String
  /// What the model reads.
  public var kind: Kind
  /// How many samples in a second there must be.
  public var rate = 16_000

  /// What a model reads of a sound.
  public enum Kind: Sendable, Equatable {
    /// The logarithms of bands of frequencies, `input_features` of `[bands, frames]`: a transform of `window` samples every
    /// `hop`, of so many seconds.
    case logMel(bands: Int, window: Int, hop: Int, seconds: Int)
    /// The same of all of a sound, `[frames, bands]`: samples less a part of the one before, transforms of `length`
    /// samples, of which `window` are read, and each band with a mean of 0 and a variance of 1.
    case normalizedLogMel(NormalizedBands)
    /// Kaldi's bands of all of a sound, normalised likewise, `[rows, stride · bands]`.
    case stackedLogMel(StackedBands)
    /// The samples, `input_values`; normalised to a mean of 0 and a variance of 1, if so.
    case samples(isNormalized: Bool)
  }

  /// What bands of frequencies that are normalised are made of.
  public struct NormalizedBands: Sendable, Equatable {
    public var bands: Int, window: Int, length: Int, hop: Int
    /// The part of the sample before that is taken off.
    public var preemphasis: Double
  }

  /// What rows of several frames of bands are made of.
  public struct StackedBands: Sendable, Equatable {
    public var bands: Int
    /// How many frames are one row.
    public var stride: Int
    /// What stands in a frame that makes their number even.
    public var padding: Float = 0
    /// Whether that frame is before the others.
    public var padsFirst = false
    /// Whether it is said which rows count.
    public var hasMask = true
  }

  /// A class with its defaults.
  package init(_ name: String, _ kind: Kind) {
    (self.name, self.kind) = (name, kind)
  }

  /// That of models that read bands of frequencies.
  package static let logMel = SoundProcessor(
    "WhisperFeatureExtractor", .logMel(bands: 80, window: 400, hop: 160, seconds: 30))
  /// That of models that read normalised bands.
  package static let normalizedLogMel = SoundProcessor(
    "ParakeetFeatureExtractor",
    .normalizedLogMel(
      NormalizedBands(bands: 80, window: 400, length: 512, hop: 160, preemphasis: 0.97)))
  /// That of models that read rows of several frames.
  package static let stackedLogMel = SoundProcessor(
    "SeamlessM4TFeatureExtractor", .stackedLogMel(StackedBands(bands: 80, stride: 2)))
  /// That of models that read samples.
  package static let samples = SoundProcessor(
    "Wav2Vec2FeatureExtractor", .samples(isNormalized: true))

  /// The name of the class that a file names, if it names one.
  public static func className(in settings: JSONValue) -> String? {
    settings["feature_extractor_type"]?.string
  }

  /// The same with what a file says.
  ///
  /// - Throws: `CheckpointError` that names the key: malformed, or unsupported.
  public func reading(_ settings: JSONValue) throws(CheckpointError) -> SoundProcessor {
    let file = SoundSettings(settings)
    var processor = self
    processor.rate = try file.count("sampling_rate", rate, most: 768_000)
    switch kind {
    case .logMel(let bands, let window, let hop, let seconds):
      try file.requireZero("padding_value")
      try file.requireZero("dither")
      let length = try file.count("n_fft", window, most: 4096)
      processor.kind = .logMel(
        bands: try file.count("feature_size", bands, most: 512), window: length,
        hop: try file.count("hop_length", hop, most: 4096),
        seconds: try file.count("chunk_length", seconds, most: 120))
      guard length > 1, length / 2 < processor.rate else {
        throw CheckpointError(
          .malformed("n_fft is \(length) at \(processor.rate) samples a second"))
      }
    case .normalizedLogMel(let usual):
      try file.requireZero("padding_value")
      processor.kind = .normalizedLogMel(try file.bands(usual, rate: processor.rate))
    case .stackedLogMel(let usual):
      processor.kind = .stackedLogMel(try file.bands(usual, rate: processor.rate))
    case .samples(let isNormalized):
      try file.requireZero("padding_value")
      guard try file.count("feature_size", 1, most: 512) == 1 else {
        throw CheckpointError(.unsupported("feature_size is not 1: samples are read"))
      }
      processor.kind = .samples(isNormalized: try file.flag("do_normalize") ?? isNormalized)
    }
    return processor
  }
}
