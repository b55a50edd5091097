public import TensorCore

/// A sound of one channel.
public struct Sound: Sendable, Equatable {
  /// Samples in a second.
  public let rate: Int
  /// From −1 to 1, unless a file of floating-point numbers has others.
  public let samples: [Float]
  /// How many samples the file has; more than were read, if fewer were asked for.
  public let count: Int
  /// How many samples in a second the file has.
  public let ownRate: Int
  /// How many channels the file has, of which each sample is the mean.
  public let channels: Int

  /// The most bytes of a file of one.
  public static let largestFile = 1 << 28
  /// The most samples of one that are read: more than half an hour at 16 kHz.
  public static let mostSamples = 1 << 25
  /// The most channels that a file may have.
  public static let mostChannels = 32
  /// The most samples in a second that a file may say.
  public static let highestRate = 768_000

  /// A sound in memory.
  public init(rate: Int, samples: [Float]) {
    (self.rate, self.samples) = (rate, samples)
    (count, channels) = (samples.count, 1)
    ownRate = rate
  }

  /// Decodes a WAV, FLAC or OGG, told by its bytes, with libsndfile: whole numbers are divided by the largest, and the
  /// channels of a sample are averaged.
  ///
  /// - Parameters:
  ///   - bytes: the file.
  ///   - rate: how many samples in a second it must have.
  ///   - limit: how many samples are read at most.
  ///   - resamples: whether a sound with another rate is made one that has it, and not refused.
  /// - Throws: `CheckpointError`: malformed if it is broken, unsupported if it is another kind of file or libsndfile is not
  ///   installed, refused if it has another rate.
  public init(
    decoding bytes: [UInt8], rate: Int, limit: Int = mostSamples, resamples: Bool = false
  ) throws(CheckpointError) {
    guard Self.isOne(bytes) else {
      throw CheckpointError(.unsupported("is no sound in WAV, FLAC or OGG"))
    }
    let file = try SoundFile(bytes)
    defer { file.close() }
    guard (1...Self.mostChannels).contains(file.channels) else {
      throw CheckpointError(
        .limitExceeded("the number of channels", limit: Self.mostChannels, found: file.channels))
    }
    guard (1...Self.highestRate).contains(file.rate) else {
      throw CheckpointError(
        .limitExceeded("samples in a second", limit: Self.highestRate, found: file.rate))
    }
    guard file.rate == rate || resamples else {
      throw CheckpointError(
        .refused("has \(file.rate) samples in a second, and the model reads \(rate)"),
        advice: "--resample makes as many of them, or ffmpeg -i FILE -ar \(rate) -ac 1 OTHER.wav")
    }
    self.rate = rate
    channels = file.channels
    ownRate = file.rate
    if file.rate != rate {
      // What is behind a limit has a part in what is before it.
      let own = try file.samples(most: Self.mostSamples)
      guard !own.isEmpty else { throw CheckpointError(.malformed("has no sample in it")) }
      guard own.count < Self.mostSamples else {
        throw CheckpointError(
          .limitExceeded("the number of samples", limit: Self.mostSamples, found: file.frames))
      }
      let all = try SampleRate.converted(own, from: file.rate, to: rate)
      count = all.count
      samples = Array(all.prefix(limit))
      return
    }
    let most = min(limit, Self.mostSamples)
    samples = try file.samples(most: most)
    guard !samples.isEmpty else { throw CheckpointError(.malformed("has no sample in it")) }
    // What a header says of what was not read is no more than that.
    count = samples.count < most ? samples.count : max(samples.count, file.frames)
    guard limit <= Self.mostSamples, limit < count || count <= Self.mostSamples else {
      throw CheckpointError(
        .limitExceeded("the number of samples", limit: Self.mostSamples, found: count))
    }
  }

  /// Whether bytes begin as a file's.
  static func isOne(_ bytes: [UInt8]) -> Bool {
    bytes.starts(with: "fLaC".utf8) || bytes.starts(with: "OggS".utf8)
      || (bytes.starts(with: "RIFF".utf8) || bytes.starts(with: "RF64".utf8))
        && bytes.dropFirst(8).starts(with: "WAVE".utf8)
  }
}
