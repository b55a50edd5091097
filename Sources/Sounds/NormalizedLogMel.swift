#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The logarithms of what bands of frequencies hold of a sound, frame by frame, each band with a mean of 0 and a variance
/// of 1 over the sound.
///
/// The numbers are those of transformers' ParakeetFeatureExtractor (models/parakeet/feature_extraction_parakeet.py, 5.x),
/// which follow NVIDIA NeMo's; sums are made in double precision.
public struct NormalizedLogMel: Sendable, Equatable {
  /// How many bands there are.
  public var bands: Int
  /// How many samples of a frame are read, in the middle of it.
  public var window: Int
  /// How many samples a frame has, of which a transform is made.
  public var length: Int
  /// From the beginning of a frame to that of the next one.
  public var hop: Int
  /// The part of the sample before that is taken off each.
  public var preemphasis: Double
  /// Samples in a second.
  public var rate: Int

  /// Describes what is computed.
  ///
  /// - Precondition: the window is not longer than a frame.
  public init(bands: Int, window: Int, length: Int, hop: Int, preemphasis: Double, rate: Int) {
    precondition(window <= length && window > 1, "a window is longer than a frame")
    (self.bands, self.window, self.length) = (bands, window, length)
    (self.hop, self.preemphasis, self.rate) = (hop, preemphasis, rate)
  }

  /// How many frames a sound of so many samples has, and how many of these are no padding.
  public func frames(of count: Int) -> (all: Int, counted: Int) {
    let inside = count + length / 2 * 2 - length
    return (inside < 0 ? 0 : inside / hop + 1, max(0, inside) / hop)
  }

  /// Numbers `[frames, bands]` of a sound, zeros in the frame behind those that count.
  public func callAsFunction(_ samples: [Float]) -> [Float] {
    let (frames, counted) = frames(of: samples.count)
    let logarithms = logarithms(samples, frames: counted)
    var numbers = [Float](repeating: 0, count: frames * bands)
    for band in 0..<bands {
      var (mean, squares) = (0.0, 0.0)
      for frame in 0..<counted { mean += logarithms[frame * bands + band] }
      mean /= Double(counted)
      for frame in 0..<counted {
        let distance = logarithms[frame * bands + band] - mean
        squares += distance * distance
      }
      let deviation = (squares / Double(counted - 1)).squareRoot()
      for frame in 0..<counted {
        let index = frame * bands + band
        numbers[index] = Float((logarithms[index] - mean) / (deviation + Self.epsilon))
      }
    }
    return numbers
  }

  private static let epsilon = 1e-5
  /// What is added to each band, so that silence has a logarithm.
  private static let floor = 0x1p-24

  /// `[frames, bands]`
  private func logarithms(_ samples: [Float], frames: Int) -> [Double] {
    let emphasized = samples.indices.map { index in
      index == 0
        ? Double(samples[0]) : Double(samples[index]) - preemphasis * Double(samples[index - 1])
    }
    let transform = Transform(length)
    let filters = MelFilters(
      bands: bands, frequencies: transform.frequencies, rate: rate, highest: Double(rate) / 2)
    let (weights, spans) = (filters.singleValues, filters.spans)
    let hann = (0..<window).map { 0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(window - 1)) }
    let first = (length - window) / 2
    var frame = [Double](repeating: 0, count: length)
    var numbers: [Double] = []
    numbers.reserveCapacity(frames * bands)
    for number in 0..<frames {
      for index in 0..<window {
        let place = number * hop + first + index - length / 2
        let sample = emphasized.indices.contains(place) ? emphasized[place] : 0
        frame[first + index] = sample * hann[index]
      }
      let powers = transform.powers(of: frame)
      for band in 0..<bands {
        var sum = 0.0
        for index in spans[band] {
          sum += Double(weights[band * transform.frequencies + index]) * powers[index]
        }
        numbers.append(log(sum + Self.floor))
      }
    }
    return numbers
  }
}
