#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Triangular filters, equally far from each other on the mel scale, that make bands of the frequencies of a transform.
///
/// The scale is that of Slaney's Auditory Toolbox (1998), linear below 1000 Hz, logarithmic above, and each filter has an
/// area of one, as there; or both are Kaldi's.
public struct MelFilters: Sendable, Equatable {
  /// How many filters there are.
  public let bands: Int
  /// How many frequencies each has, from 0 Hz to half of the rate.
  public let frequencies: Int
  /// The height of each filter at each frequency before the area is made one: `[bands, frequencies]`.
  let heights: [Double]
  /// What makes the area of each filter one.
  let norms: [Double]

  /// Those of a transform of 400 samples.
  public static let usualFrequencies = 201

  /// The highest frequency of a filter where nothing else is said, in Hz.
  public static let highest = 8000.0

  /// - Parameters:
  ///   - rate: samples in a second.
  ///   - highest: the highest frequency of a filter, in Hz.
  public init(bands: Int, frequencies: Int, rate: Int, highest: Double = highest) {
    self.bands = bands
    self.frequencies = frequencies
    let (low, high) = (Self.mel(0), Self.mel(highest))
    let step = (high - low) / Double(bands + 1)
    let edges = (0..<bands + 2).map { number in
      Self.hertz(number == bands + 1 ? high : Double(number) * step + low)
    }
    let width = Double(rate / 2) / Double(max(1, frequencies - 1))
    heights = Self.triangles(edges, at: (0..<frequencies).map { Double($0) * width })
    norms = (0..<bands).map { 2 / (edges[$0 + 2] - edges[$0]) }
  }

  /// Kaldi's: from 20 Hz to half of the rate, straight on its mel scale, and each 1 high (mel-computations.cc).
  ///
  /// - Parameters:
  ///   - bands: how many filters there are.
  ///   - rate: samples in a second, above twice 20.
  public init(kaldi bands: Int, frequencies: Int, rate: Int) {
    self.bands = bands
    self.frequencies = frequencies
    func mel(_ hertz: Double) -> Double { 1127 * log(1 + hertz / 700) }
    let (low, high) = (mel(Self.lowestOfKaldi), mel(Double(rate / 2)))
    let step = (high - low) / Double(bands + 1)
    let edges = (0..<bands + 2).map { $0 == bands + 1 ? high : Double($0) * step + low }
    let width = Double(rate) / Double(max(1, frequencies - 1) * 2)
    heights = Self.triangles(edges, at: (0..<frequencies).map { mel(width * Double($0)) })
    norms = [Double](repeating: 1, count: bands)
  }

  /// Where Kaldi's filters begin, in Hz.
  private static let lowestOfKaldi = 20.0

  /// What rises to 1 from an edge to the next one, and falls to the one behind that: `[bands, places]`.
  private static func triangles(_ edges: [Double], at places: [Double]) -> [Double] {
    (0..<edges.count - 2).flatMap { band in
      places.map { place in
        // In this order a zero has the sign that librosa's has.
        let rising = -(edges[band] - place) / (edges[band + 1] - edges[band])
        let falling = (edges[band + 2] - place) / (edges[band + 2] - edges[band + 1])
        return max(0, min(rising, falling))
      }
    }
  }

  /// The filters: `[bands, frequencies]`.
  public var values: [Double] {
    heights.indices.map { heights[$0] * norms[$0 / frequencies] }
  }

  /// Where each filter is above zero.
  var spans: [Range<Int>] {
    (0..<bands).map { band in
      let own = heights[band * frequencies..<(band + 1) * frequencies]
      guard let first = own.firstIndex(where: { $0 > 0 }),
        let last = own.lastIndex(where: { $0 > 0 })
      else { return 0..<0 }
      return first - own.startIndex..<last + 1 - own.startIndex
    }
  }

  /// The filters as librosa makes them (filters.mel), which openai-whisper and whisper.cpp have in their files: heights are
  /// rounded to single precision before the area is made one, and after it.
  public var singleValues: [Float] {
    heights.indices.map { Float(Double(Float(heights[$0])) * norms[$0 / frequencies]) }
  }

  /// 200 / 3 Hz a mel up to 1000 Hz, where 27 mels make a factor of 6.4 from.
  private static let (hertzPerMel, border, logarithmicStep) = (200.0 / 3, 1000.0, log(6.4) / 27)

  private static func mel(_ hertz: Double) -> Double {
    hertz < border
      ? hertz / hertzPerMel : border / hertzPerMel + log(hertz / border) / logarithmicStep
  }

  private static func hertz(_ mel: Double) -> Double {
    let first = border / hertzPerMel
    return mel < first ? mel * hertzPerMel : border * exp(logarithmicStep * (mel - first))
  }
}
