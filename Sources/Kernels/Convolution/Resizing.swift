#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A grid of vectors as one of another size, by cubic convolution along both axes, or by lines between neighbours: torch's
/// `interpolate` with `mode="bicubic"` or `"bilinear"` and `align_corners=False`.
///
/// Keys: "Cubic Convolution Interpolation for Digital Image Processing", 1981, eq. 15, with a = −3/4; beyond an edge stands
/// what is at it. Smoothed, a = −1/2, the kernel is as much wider as the grid becomes smaller, and weights beyond an edge are
/// left out, the others summing up to 1 (torch's `antialias=True`, which follows Pillow).
///
/// - Parameters:
///   - x: `[rows, columns, width]`
///   - isSmoothed: whether the kernel becomes wider.
///   - isLinear: whether it is a triangle.
/// - Returns: `[rows, columns, width]` of the new size.
public func resized<Scalar: ComputeScalar>(
  _ x: NDArray<Scalar>, rows: Int, columns: Int, isSmoothed: Bool, isLinear: Bool = false
) -> NDArray<Scalar> {
  precondition(x.shape.count == 3 && rows > 0 && columns > 0, "a grid has two axes")
  let (height, width, size) = (x.shape[0], x.shape[1], x.shape[2])
  let kernel = isLinear ? ResizingKernel.linear : .cubic
  let across = kernel.taps(width, columns, isSmoothed: isSmoothed)
  let down = kernel.taps(height, rows, isSmoothed: isSmoothed)
  var wide = [Scalar](repeating: 0, count: height * columns * size)
  for row in 0..<height {
    for (column, taps) in across.enumerated() {
      let target = (row * columns + column) * size
      for tap in taps {
        let (source, weight) = ((row * width + tap.place) * size, Scalar(tap.weight))
        for index in 0..<size { wide[target + index] += weight * x.elements[source + index] }
      }
    }
  }
  var result = [Scalar](repeating: 0, count: rows * columns * size)
  let line = columns * size
  for (row, taps) in down.enumerated() {
    for tap in taps {
      let (source, weight) = (tap.place * line, Scalar(tap.weight))
      for index in 0..<line { result[row * line + index] += weight * wide[source + index] }
    }
  }
  return NDArray(shape: [rows, columns, size], elements: result)
}

/// How near elements weigh.
private enum ResizingKernel {
  case cubic, linear

  /// How far it reaches.
  var support: Double { self == .cubic ? 2 : 1 }

  func weight(_ x: Double, isSmoothed: Bool) -> Double {
    let x = abs(x)
    guard self == .cubic else { return max(0, 1 - x) }
    // Keys's kernel.
    let a = isSmoothed ? -0.5 : -0.75
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
  }

  /// What an element of a row of another length is the sum of.
  func taps(_ count: Int, _ wanted: Int, isSmoothed: Bool) -> [[(place: Int, weight: Double)]] {
    let scale = Double(count) / Double(wanted)
    return (0..<wanted).map { index in
      guard isSmoothed else {
        let centre = scale * (Double(index) + 0.5) - 0.5
        let first = Int(floor(centre))
        let reach = Int(support)
        return (1 - reach...reach).map { step in
          let place = min(max(first + step, 0), count - 1)
          return (place, weight(centre - Double(first + step), isSmoothed: false))
        }
      }
      let (centre, stretch) = (scale * (Double(index) + 0.5), max(1, scale))
      let first = max(Int(centre - support * stretch + 0.5), 0)
      let end = min(Int(centre + support * stretch + 0.5), count)
      let weights = (first..<end).map {
        weight((Double($0) - centre + 0.5) / stretch, isSmoothed: true)
      }
      let sum = weights.reduce(0, +)
      return zip(first..<end, weights).map { ($0, $1 / sum) }
    }
  }
}
