import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How a picture is made larger or smaller, by Pillow's numbers.
public enum Resampling: Int, Sendable, CaseIterable {
  case nearest = 0
  case lanczos = 1
  case bilinear = 2
  case bicubic = 3
  case box = 4
  case hamming = 5

  /// How far from its middle a filter reaches.
  var support: Double {
    switch self {
    case .nearest: 0
    case .box: 0.5
    case .bilinear, .hamming: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  /// A filter's height there.
  func weight(at x: Double) -> Double {
    let distance = abs(x)
    switch self {
    case .nearest: return 0
    case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
    case .bilinear: return distance < 1 ? 1 - distance : 0
    case .hamming:
      if distance == 0 { return 1 }
      if distance >= 1 { return 0 }
      let angle = distance * Double.pi
      return sin(angle) / angle * (0.54 + 0.46 * cos(angle))
    case .bicubic:
      // Keys, "Cubic Convolution Interpolation", 1981, eq. 15 with a = -1/2.
      let a = -0.5
      if distance < 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
      if distance < 2 { return (((distance - 5) * distance + 8) * distance - 4) * a }
      return 0
    case .lanczos: return x >= -3 && x < 3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
    }
  }

  private static func sinc(_ x: Double) -> Double {
    if x == 0 { return 1 }
    let angle = x * Double.pi
    return sin(angle) / angle
  }
}

/// What numbers of a line each number of a resized one is made of. A filter becomes wider where the line becomes shorter,
/// so that nothing between two places is left out (antialias).
struct LineFilter {
  /// Where each begins, and its weights, whose sum is 1.
  let places: [(first: Int, weights: [Double])]

  /// Describes how a line of `count` numbers is made one of `size`.
  init(_ filter: Resampling, from count: Int, to size: Int) {
    let scale = Double(count) / Double(size)
    let widening = max(scale, 1)
    let support = filter.support * widening
    let narrowing = 1 / widening
    places = (0..<size).map { place in
      let center = (Double(place) + 0.5) * scale
      // Towards zero, as C rounds.
      let first = max(0, Int(center - support + 0.5))
      let end = min(count, Int(center + support + 0.5))
      var weights = (0..<max(0, end - first)).map {
        filter.weight(at: (Double($0 + first) - center + 0.5) * narrowing)
      }
      let sum = weights.reduce(0, +)
      if sum != 0 { weights = weights.map { $0 / sum } }
      return (first, weights)
    }
  }
}

extension Picture {
  /// The picture in another size, as `Image.resize` of Pillow 13 makes it: along rows and along columns, one after the other,
  /// each with weights of 22 bits and rounded to 8 (antialias).
  ///
  /// Rows are resized first, unless more than twice as many rows go as columns do; before Pillow 13, they always were.
  public func resized(width size: Int, height rows: Int, by filter: Resampling) -> Picture {
    guard (size, rows) != (width, height) else { return self }
    if filter == .nearest { return nearest(width: size, height: rows) }
    func alongRows(_ picture: Picture) -> Picture {
      size == width ? picture : picture.resizedRows(LineFilter(filter, from: width, to: size))
    }
    func alongColumns(_ picture: Picture) -> Picture {
      rows == height
        ? picture : picture.resizedColumns(LineFilter(filter, from: height, to: rows))
    }
    return rows < height && height - rows > 2 * (width - size)
      ? alongRows(alongColumns(self)) : alongColumns(alongRows(self))
  }

  /// How many bits of a weight are behind the point: those of a sum, without 8 of a pixel and 2 for what filters add.
  private static let fraction = 32 - 8 - 2

  private static func integers(_ filter: LineFilter) -> [(first: Int, weights: [Int])] {
    filter.places.map { place in
      let weights = place.weights.map { weight in
        let scaled = weight * Double(1 << fraction)
        return Int(weight < 0 ? scaled - 0.5 : scaled + 0.5)
      }
      return (place.first, weights)
    }
  }

  private static func rounded(_ sum: Int) -> UInt8 {
    UInt8(max(0, min(255, sum >> fraction)))
  }

  private func resizedRows(_ filter: LineFilter) -> Picture {
    let places = Self.integers(filter)
    var result: [UInt8] = []
    result.reserveCapacity(places.count * height * 3)
    for row in 0..<height {
      for place in places {
        var (red, green, blue) = (
          1 << (Self.fraction - 1), 1 << (Self.fraction - 1), 1 << (Self.fraction - 1)
        )
        var pixel = (row * width + place.first) * 3
        for weight in place.weights {
          red += weight * Int(pixels[pixel])
          green += weight * Int(pixels[pixel + 1])
          blue += weight * Int(pixels[pixel + 2])
          pixel += 3
        }
        result.append(Self.rounded(red))
        result.append(Self.rounded(green))
        result.append(Self.rounded(blue))
      }
    }
    return Picture(width: places.count, height: height, pixels: result)
  }

  private func resizedColumns(_ filter: LineFilter) -> Picture {
    let places = Self.integers(filter)
    let stride = width * 3
    var result: [UInt8] = []
    result.reserveCapacity(places.count * stride)
    for place in places {
      for column in 0..<stride {
        var sum = 1 << (Self.fraction - 1)
        var pixel = place.first * stride + column
        for weight in place.weights {
          sum += weight * Int(pixels[pixel])
          pixel += stride
        }
        result.append(Self.rounded(sum))
      }
    }
    return Picture(width: width, height: places.count, pixels: result)
  }

  /// The pixel that each one's middle lies in. Places are added up, as Pillow does it.
  private func nearest(width size: Int, height rows: Int) -> Picture {
    func places(_ count: Int, _ size: Int) -> [Int] {
      let step = Double(count) / Double(size)
      var place = step * 0.5
      return (0..<size).map { _ in
        defer { place += step }
        return min(count - 1, Int(place))
      }
    }
    let columns = places(width, size)
    var result: [UInt8] = []
    result.reserveCapacity(size * rows * 3)
    for row in places(height, rows) {
      for column in columns {
        let start = (row * width + column) * 3
        result += pixels[start..<start + 3]
      }
    }
    return Picture(width: size, height: rows, pixels: result)
  }

  /// The middle of the picture, black where it is smaller than that: as transformers' `center_crop` places it.
  public func cropped(width size: Int, height rows: Int) -> Picture {
    // The first row and column of it; before the picture's where they are negative. What is cut off is rounded down, and
    // what is put before rounded up.
    func start(_ extent: Int, _ size: Int) -> Int {
      extent >= size ? (extent - size) / 2 : -((size - extent + 1) / 2)
    }
    let (top, left) = (start(height, rows), start(width, size))
    var result = [UInt8](repeating: 0, count: size * rows * 3)
    for y in 0..<rows where (0..<height).contains(top + y) {
      for x in 0..<size where (0..<width).contains(left + x) {
        let (from, to) = (((top + y) * width + left + x) * 3, (y * size + x) * 3)
        for channel in 0..<3 { result[to + channel] = pixels[from + channel] }
      }
    }
    return Picture(width: size, height: rows, pixels: result)
  }
}

/// Numbers in another size, in double precision; the filters are those of `Picture.resized`.
///
/// - Parameter values: `[height, width, channels]`
public func resizedNumbers(
  _ values: [Double], height: Int, width: Int, channels: Int, toHeight rows: Int,
  width columns: Int, by filter: Resampling
) -> [Double] {
  let across = LineFilter(filter, from: width, to: columns).places
  let down = LineFilter(filter, from: height, to: rows).places
  var wide: [Double] = []
  wide.reserveCapacity(height * columns * channels)
  for row in 0..<height {
    for place in across {
      for channel in 0..<channels {
        var value = (row * width + place.first) * channels + channel
        var sum = 0.0
        for weight in place.weights {
          sum += weight * values[value]
          value += channels
        }
        wide.append(sum)
      }
    }
  }
  let stride = columns * channels
  var result: [Double] = []
  result.reserveCapacity(rows * stride)
  for place in down {
    for column in 0..<stride {
      var value = place.first * stride + column
      var sum = 0.0
      for weight in place.weights {
        sum += weight * wide[value]
        value += stride
      }
      result.append(sum)
    }
  }
  return result
}
