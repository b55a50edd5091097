#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Rotary positions of the patches of a picture: half of a head's pairs are turned by how far down a patch is, the
/// other half by how far to the right.
///
/// Siméoni et al., arXiv 2508.10104, §3.2; positions are those of the patches' centres between −1 and 1, so
/// that they are the same for pictures of any size.
public struct PlaneRotary: Sendable, Equatable {
  /// The base of the periods.
  public var base: Double
  /// How many numbers of a head are turned: a multiple of 4.
  public var size: Int

  /// Describes positions.
  public init(base: Double, size: Int) {
    self.base = base
    self.size = size
  }

  /// Cosines, then sines, of the tokens of a picture.
  ///
  /// - Parameters:
  ///   - grid: how many patches stand above each other, and side by side.
  ///   - leading: how many tokens before the patches are not turned.
  /// - Returns: `[1, leading + patches, size]`, as `rotate` takes it.
  public func table<Scalar: ComputeScalar>(
    grid: [Int], leading: Int, of _: Scalar.Type
  ) -> NDArray<Scalar> {
    let frequencies = (0..<size / 4).map { 2 * .pi / pow(base, Double(4 * $0) / Double(size)) }
    func angles(_ place: Int, of count: Int) -> [Double] {
      let centre = 2 * (Double(place) + 0.5) / Double(count) - 1
      return frequencies.map { centre * $0 }
    }
    let columns = (0..<grid[1]).map { angles($0, of: grid[1]) }
    var elements: [Scalar] = []
    elements.reserveCapacity((leading + grid[0] * grid[1]) * size)
    for _ in 0..<leading {
      elements += [Scalar](repeating: 1, count: size / 2)
      elements += [Scalar](repeating: 0, count: size / 2)
    }
    for row in 0..<grid[0] {
      let down = angles(row, of: grid[0])
      for right in columns {
        let turns = down + right
        elements += turns.map { Scalar(cos($0)) }
        elements += turns.map { Scalar(sin($0)) }
      }
    }
    return NDArray(shape: [1, leading + grid[0] * grid[1], size], elements: elements)
  }
}
