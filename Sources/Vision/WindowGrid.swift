import Kernels
import TensorCore

/// How the vectors of a picture's patches are put into windows, row by row, perhaps shifted, and back.
///
/// Liu et al., arXiv 2103.14030, §3.2 and fig. 4.
struct WindowGrid: Sendable, Equatable {
  /// How many patches stand above each other, and side by side.
  let rows: Int, columns: Int
  /// How many are in a window that way, and that way.
  let window: Int
  /// By how many patches windows begin before the picture's first, to the left and above: what is cut off there stands
  /// behind the last ones.
  let shift: Int

  /// The rows and columns with those that fill up windows.
  private var padded: (rows: Int, columns: Int) {
    ((rows + window - 1) / window * window, (columns + window - 1) / window * window)
  }

  /// How many windows there are.
  var count: Int { padded.rows / window * (padded.columns / window) }
  /// How many patches are in each.
  var size: Int { window * window }

  /// The patch at each place of each window; `nil` where there is none.
  private var patches: [Int?] {
    let (height, width) = padded
    var patches: [Int?] = []
    patches.reserveCapacity(height * width)
    for place in places {
      let row = (place.row + shift) % height
      let column = (place.column + shift) % width
      patches.append(row < rows && column < columns ? row * columns + column : nil)
    }
    return patches
  }

  /// The places of all windows, one window after the other, in what has been shifted.
  private var places: [(row: Int, column: Int)] {
    let (height, width) = padded
    var places: [(row: Int, column: Int)] = []
    places.reserveCapacity(height * width)
    for top in stride(from: 0, to: height, by: window) {
      for left in stride(from: 0, to: width, by: window) {
        for y in 0..<window {
          for x in 0..<window { places.append((top + y, left + x)) }
        }
      }
    }
    return places
  }

  /// Windows of a picture's patches: `[batch, patches, width]` to `[batch × windows, window², width]`, with zeros where
  /// there is no patch.
  func windows<Scalar: ComputeScalar>(of x: NDArray<Scalar>) -> NDArray<Scalar> {
    let (batch, width) = (x.shape[0], x.shape[2])
    let patches = patches
    var elements: [Scalar] = []
    elements.reserveCapacity(batch * patches.count * width)
    for picture in 0..<batch {
      for patch in patches {
        if let patch {
          elements += x.row(picture * rows * columns + patch)
        } else {
          elements += repeatElement(0, count: width)
        }
      }
    }
    return NDArray(shape: [batch * count, size, width], elements: elements)
  }

  /// The patches of windows, back in their order: `[batch × windows, window², width]` to `[batch, patches, width]`.
  func joined<Scalar: ComputeScalar>(_ windows: NDArray<Scalar>) -> NDArray<Scalar> {
    let (batch, width) = (windows.shape[0] / count, windows.shape[2])
    var places = [Int](repeating: 0, count: rows * columns)
    for (place, patch) in patches.enumerated() {
      if let patch { places[patch] = place }
    }
    var elements: [Scalar] = []
    elements.reserveCapacity(batch * places.count * width)
    for picture in 0..<batch {
      for place in places { elements += windows.row(picture * count * size + place) }
    }
    return NDArray(shape: [batch, rows * columns, width], elements: elements)
  }

  /// What is added to scores in windows where parts of the picture meet that are no neighbours: `[windows, window²,
  /// window²]`; `nil` where nothing is shifted.
  ///
  /// - Parameter score: what is added where a query and a key are of two such parts.
  func mask<Scalar: ComputeScalar>(_ score: Scalar) -> NDArray<Scalar>? {
    guard shift > 0 else { return nil }
    let (height, width) = padded
    func part(_ place: Int, _ extent: Int) -> Int {
      (place >= extent - window ? 1 : 0) + (place >= extent - shift ? 1 : 0)
    }
    let parts = places.map { 3 * part($0.row, height) + part($0.column, width) }
    var elements: [Scalar] = []
    elements.reserveCapacity(count * size * size)
    for first in stride(from: 0, to: parts.count, by: size) {
      for query in parts[first..<first + size] {
        for key in parts[first..<first + size] { elements.append(query == key ? 0 : score) }
      }
    }
    return NDArray(shape: [count, size, size], elements: elements)
  }
}
