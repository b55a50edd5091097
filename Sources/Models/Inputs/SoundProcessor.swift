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
    /// The samples, `input_values`; normalised to a mean of 0 and a variance of 1, if so.
    case samples(isNormalized: Bool)
  }

  /// What bands of frequencies that are normalised are made of.
  public struct NormalizedBands: Sendable, Equatable {
    public var bands: Int, window: Int, length: Int, hop: Int
    /// The part of the sample before that is taken off.
    public var preemphasis: Double
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
    func count(_ key: String, _ usual: Int, most: Int) throws(CheckpointError) -> Int {
      guard let value = settings[key], value != .null else { return usual }
      guard let number = value.int, (1...most).contains(number) else {
        throw CheckpointError(
          .malformed("\(key) must be from 1 to \(most), is \(value.text())"))
      }
      return number
    }
    func number(_ key: String) throws(CheckpointError) {
      guard let value = settings[key], value != .null, value.double != 0 else { return }
      throw CheckpointError(.unsupported("\(key) is \(value.text()): only 0 is supported"))
    }
    func part(_ key: String, _ usual: Double) throws(CheckpointError) -> Double {
      guard let value = settings[key] else { return usual }
      if value == .null { return 0 }
      guard let number = value.double, (0...1).contains(number) else {
        throw CheckpointError(.malformed("\(key) must be from 0 to 1, is \(value.text())"))
      }
      return number
    }
    var processor = self
    processor.rate = try count("sampling_rate", rate, most: 768_000)
    try number("padding_value")
    switch kind {
    case .logMel(let bands, let window, let hop, let seconds):
      try number("dither")
      let length = try count("n_fft", window, most: 4096)
      processor.kind = .logMel(
        bands: try count("feature_size", bands, most: 512), window: length,
        hop: try count("hop_length", hop, most: 4096),
        seconds: try count("chunk_length", seconds, most: 120))
      guard length > 1, length / 2 < processor.rate else {
        throw CheckpointError(
          .malformed("n_fft is \(length) at \(processor.rate) samples a second"))
      }
    case .normalizedLogMel(let usual):
      let bands = NormalizedBands(
        bands: try count("feature_size", usual.bands, most: 512),
        window: try count("win_length", usual.window, most: 4096),
        length: try count("n_fft", usual.length, most: 4096),
        hop: try count("hop_length", usual.hop, most: 4096),
        preemphasis: try part("preemphasis", usual.preemphasis))
      guard bands.length > 1, bands.window > 1, bands.window <= bands.length,
        bands.length / 2 < processor.rate
      else {
        throw CheckpointError(
          .malformed(
            "win_length is \(bands.window), n_fft \(bands.length) at \(processor.rate) samples a second"
          ))
      }
      processor.kind = .normalizedLogMel(bands)
    case .samples(let isNormalized):
      guard try count("feature_size", 1, most: 512) == 1 else {
        throw CheckpointError(.unsupported("feature_size is not 1: samples are read"))
      }
      let flag = settings["do_normalize"] ?? .null
      guard flag == .null || flag.bool != nil else {
        throw CheckpointError(.malformed("do_normalize must be true or false, is \(flag.text())"))
      }
      processor.kind = .samples(isNormalized: flag.bool ?? isNormalized)
    }
    return processor
  }
}
