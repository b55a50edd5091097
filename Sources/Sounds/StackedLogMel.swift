#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The logarithms of what Kaldi's bands of frequencies hold of a sound, each band with a mean of 0 and a variance of 1 over
/// the sound, several frames in a row.
///
/// The numbers are those of transformers' SeamlessM4TFeatureExtractor
/// (models/seamless_m4t/feature_extraction_seamless_m4t.py, audio_utils.py, `spectrogram`, 5.x), in the precisions that numpy
/// has there: single from the logarithms on, with sums as numpy makes them.
public struct StackedLogMel: Sendable, Equatable {
  /// How many bands there are.
  public var bands: Int
  /// How many frames are one row.
  public var stride: Int
  /// What stands in a frame that makes their number even.
  public var padding: Float
  /// Whether that frame is before the others.
  public var padsFirst: Bool
  /// Samples in a second.
  public var rate: Int

  /// Describes what is computed.
  ///
  /// - Precondition: there are bands, and a row has frames.
  public init(
    bands: Int, stride: Int = 2, padding: Float = 0, padsFirst: Bool = false, rate: Int
  ) {
    precondition(bands > 0 && stride > 0, "there are neither bands nor frames")
    (self.bands, self.stride, self.padding) = (bands, stride, padding)
    (self.padsFirst, self.rate) = (padsFirst, rate)
  }

  /// How many samples a frame has.
  public static let window = 400
  /// From the beginning of a frame to that of the next one.
  public static let hop = 160
  /// Of how many numbers a transform is made: a frame, and zeros behind it.
  public static let length = 512
  /// The part of the sample before that is taken off each.
  private static let preemphasis = 0.97
  /// What samples are multiplied by: Kaldi's are whole numbers of 16 bits.
  private static let scale: Float = 0x1p15
  /// The least that a band holds: what single precision can tell from 1.
  private static let floor = 0x1p-23
  /// What is added to each variance.
  private static let epsilon: Float = 1e-7

  /// How many whole frames a sound of so many samples has.
  public func frames(of count: Int) -> Int {
    count < Self.window ? 0 : (count - Self.window) / Self.hop + 1
  }

  /// How many rows a sound of so many samples has: of an even number of frames, without those that fill no row.
  public func rows(of count: Int) -> Int { padded(frames(of: count)) / stride }

  private func padded(_ frames: Int) -> Int { frames + frames % 2 }

  /// Numbers `[rows, stride · bands]` of a sound.
  public func callAsFunction(_ samples: [Float]) -> [Float] {
    let count = frames(of: samples.count)
    let rows = rows(of: samples.count)
    let first = padsFirst ? padded(count) - count : 0
    let columns = normalizedBands(samples, frames: count)
    var numbers = [Float](repeating: padding, count: rows * stride * bands)
    for place in first..<min(first + count, rows * stride) {
      for band in 0..<bands { numbers[place * bands + band] = columns[band][place - first] }
    }
    return numbers
  }

  /// Which rows count: those of which the second frame is no padding.
  ///
  /// - Precondition: a row has two frames.
  public func mask(of count: Int) -> [Int] {
    precondition(stride > 1, "a row has no second frame")
    let frames = frames(of: count)
    let first = padsFirst ? padded(frames) - frames : 0
    return (0..<rows(of: count)).map { row in
      (first..<first + frames).contains(row * stride + 1) ? 1 : 0
    }
  }

  /// Each band, over all frames.
  private func normalizedBands(_ samples: [Float], frames: Int) -> [[Float]] {
    logarithms(samples, frames: frames).map { band in
      let mean = pairwiseSum(band[...]) / Float(frames)
      let squares = band.map { ($0 - mean) * ($0 - mean) }
      let variance = pairwiseSum(squares[...]) / Float(frames - 1)
      let deviation = (variance + Self.epsilon).squareRoot()
      return band.map { ($0 - mean) / deviation }
    }
  }

  /// Each band, over all frames.
  private func logarithms(_ samples: [Float], frames: Int) -> [[Float]] {
    let transform = Transform(Self.length)
    let filters = MelFilters(kaldi: bands, frequencies: transform.frequencies, rate: rate)
    let (weights, spans) = (filters.values, filters.spans)
    let povey = Self.povey
    var columns = [[Float]](repeating: [Float](repeating: 0, count: frames), count: bands)
    for number in 0..<frames {
      let powers = transform.powers(of: frame(number, of: samples, povey))
      for band in 0..<bands {
        var sum = 0.0
        for index in spans[band] {
          sum += weights[band * transform.frequencies + index] * powers[index]
        }
        columns[band][number] = Float(log(sum > Self.floor ? sum : Self.floor))
      }
    }
    return columns
  }

  /// A frame as it is transformed: less its mean, each less a part of the one before, under the window, and zeros behind.
  private func frame(_ number: Int, of samples: [Float], _ window: [Double]) -> [Double] {
    let start = number * Self.hop
    var frame = samples[start..<start + Self.window].map { Double($0 * Self.scale) }
    let mean = pairwiseSum(frame[...]) / Double(Self.window)
    for index in frame.indices { frame[index] -= mean }
    for index in frame.indices.dropFirst().reversed() {
      frame[index] -= Self.preemphasis * frame[index - 1]
    }
    frame[0] *= 1 - Self.preemphasis
    for index in frame.indices { frame[index] *= window[index] }
    return frame + [Double](repeating: 0, count: Self.length - Self.window)
  }

  /// Povey's window: Hann's, whose ends are zeros, to the power of 0.85.
  private static let povey: [Double] = (0..<window).map { number in
    let angle = Double.pi * Double(2 * number + 1 - window) / Double(window - 1)
    return pow(0.5 + 0.5 * cos(angle), 0.85)
  }
}

/// A sum as numpy makes it of numbers that lie one behind the other: halves, down to 128 numbers, in eight sums (numpy,
/// loops_utils.h.src, `pairwise_sum`).
func pairwiseSum<Number: FloatingPoint>(_ numbers: ArraySlice<Number>) -> Number {
  let count = numbers.count
  guard count >= 8 else { return numbers.reduce(0, +) }
  guard count <= 128 else {
    let half = count / 2 - count / 2 % 8
    return pairwiseSum(numbers.prefix(half)) + pairwiseSum(numbers.dropFirst(half))
  }
  let start = numbers.startIndex
  var sums = Array(numbers.prefix(8))
  let whole = count - count % 8
  for index in 8..<whole { sums[index % 8] += numbers[start + index] }
  let halves = (sums[0] + sums[1]) + (sums[2] + sums[3])
  let others = (sums[4] + sums[5]) + (sums[6] + sums[7])
  return numbers.dropFirst(whole).reduce(halves + others, +)
}
