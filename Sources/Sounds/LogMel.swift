#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The logarithms of what bands of frequencies hold of a sound, frame by frame.
///
/// Radford et al.: "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356, §2.2; the numbers are
/// those of transformers' WhisperFeatureExtractor with numpy (models/whisper/feature_extraction_whisper.py,
/// audio_utils.py, `spectrogram`).
public struct LogMel: Sendable, Equatable {
  /// How many bands there are.
  public var bands: Int
  /// How many samples a frame has, of which a transform is made.
  public var window: Int
  /// From the beginning of a frame to that of the next one.
  public var hop: Int
  /// How many samples are read; shorter sounds are filled up with zeros.
  public var length: Int
  /// Samples in a second.
  public var rate: Int

  /// Describes what is computed.
  public init(bands: Int, window: Int = 400, hop: Int = 160, length: Int, rate: Int) {
    (self.bands, self.window, self.hop) = (bands, window, hop)
    (self.length, self.rate) = (length, rate)
  }

  /// How many frames there are: the last one is left out.
  public var frames: Int { max(0, length + window / 2 * 2 - window) / hop }

  /// Numbers `[bands, frames]` of the first samples of a sound.
  public func callAsFunction(_ samples: [Float]) -> [Float] {
    let padded = padded(samples)
    let hann = (0..<window).map { 0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(window)) }
    let transform = Transform(window)
    let filters = MelFilters(bands: bands, frequencies: transform.frequencies, rate: rate)
    let (weights, spans) = (filters.values, filters.spans)
    var logarithms = [Float](repeating: 0, count: bands * frames)
    var frame = [Double](repeating: 0, count: window)
    for number in 0..<frames {
      var isSilent = true
      for index in 0..<window {
        let sample = padded[number * hop + index]
        if sample != 0 { isSilent = false }
        frame[index] = Double(sample) * hann[index]
      }
      let powers = isSilent ? [] : transform.powers(of: frame)
      for band in 0..<bands {
        var sum = 0.0
        if !isSilent {
          for index in spans[band] {
            sum += weights[band * transform.frequencies + index] * powers[index]
          }
        }
        logarithms[band * frames + number] = Float(log10(max(Self.floor, sum)))
      }
    }
    let lowest = (logarithms.max() ?? 0) - 8
    return logarithms.map { (max($0, lowest) + 4) / 4 }
  }

  /// The least that a band holds.
  private static let floor = 1e-10

  /// The samples with zeros behind them, reflected at both ends: half a frame before the first one and behind the last.
  private func padded(_ samples: [Float]) -> [Float] {
    let half = window / 2
    let last = 2 * (length - 1)
    return (-half..<length + half).map { place in
      let inside = place < 0 ? -place : place >= length ? last - place : place
      return inside < samples.count ? samples[inside] : 0
    }
  }
}

/// A discrete Fourier transform of real numbers, by the sums that define it.
///
/// What lies symmetrically about the first number is added, or subtracted, before; the loop over frequencies is the inner one.
struct Transform {
  let size: Int
  /// How many frequencies there are: those from 0 to half of the size.
  let frequencies: Int
  /// `[half + 1, frequencies]`
  private let cosines: [Double]
  private let sines: [Double]

  init(_ size: Int) {
    self.size = size
    let frequencies = size / 2 + 1
    let angles = (0..<size).map { 2 * .pi * Double($0) / Double(size) }
    let (cosine, sine) = (angles.map { cos($0) }, angles.map { sin($0) })
    cosines = (0..<frequencies).flatMap { n in (0..<frequencies).map { cosine[n * $0 % size] } }
    sines = (0..<frequencies).flatMap { n in (0..<frequencies).map { sine[n * $0 % size] } }
    self.frequencies = frequencies
  }

  /// The squares of the magnitudes, whose parts are rounded to single precision, as numpy keeps them there.
  func powers(of frame: [Double]) -> [Double] {
    var (real, imaginary) = (
      [Double](repeating: frame[0], count: frequencies), [Double](repeating: 0, count: frequencies)
    )
    for n in 1..<frequencies {
      let (one, other) = (frame[n], size - n == n ? 0 : frame[size - n])
      let (even, odd) = (one + other, one - other)
      let row = n * frequencies
      for k in 0..<frequencies {
        real[k] += even * cosines[row + k]
        imaginary[k] += odd * sines[row + k]
      }
    }
    return (0..<frequencies).map { k in
      let magnitude = hypot(Double(Float(real[k])), Double(Float(imaginary[k])))
      return magnitude * magnitude
    }
  }
}
