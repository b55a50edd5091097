/// A rectangle in the unit square; y grows downwards.
public struct Tile: Equatable, Sendable {
  /// The left edge.
  public let x: Double
  /// The upper edge.
  public let y: Double
  /// From the left to the right edge.
  public let width: Double
  /// From the upper to the lower edge.
  public let height: Double

  /// Describes a rectangle.
  public init(x: Double, y: Double, width: Double, height: Double) {
    (self.x, self.y, self.width, self.height) = (x, y, width, height)
  }

  /// The whole.
  public static let unit = Tile(x: 0, y: 0, width: 1, height: 1)

  /// Cuts it into rectangles whose areas are as `weights`, and which are as square as may be: Bruls,
  /// Huizing and van Wijk, "Squarified Treemaps", 2000.
  ///
  /// - Parameters:
  ///   - weights: in descending order, none negative.
  ///   - aspect: how many times as wide as high the unit square will be drawn.
  public func squarified(_ weights: [Double], aspect: Double) -> [Tile] {
    let total = weights.reduce(0, +)
    guard total > 0 else { return weights.map { _ in Tile(x: x, y: y, width: 0, height: 0) } }
    // In units in which a square is drawn as one.
    var rest = Tile(x: x * aspect, y: y, width: width * aspect, height: height)
    let areas = weights.map { $0 / total * rest.width * rest.height }
    var tiles: [Tile] = []
    while tiles.count < areas.count {
      let side = min(rest.width, rest.height)
      let count = Self.bestCount(areas[tiles.count...], along: side)
      let row = areas[tiles.count..<tiles.count + count]
      let (cut, remaining) = rest.cut(row)
      tiles += cut
      rest = remaining
    }
    return tiles.map { tile in
      Tile(x: tile.x / aspect, y: tile.y, width: tile.width / aspect, height: tile.height)
    }
  }

  /// How many areas make the squarest row along a side of that length.
  private static func bestCount(_ areas: ArraySlice<Double>, along side: Double) -> Int {
    var (count, sum, best) = (0, 0.0, Double.infinity)
    let largest = areas[areas.startIndex]
    for area in areas {
      sum += area
      let (thick, length) = (sum * sum, side * side)
      let worst = area > 0 ? max(length * largest / thick, thick / (length * area)) : best
      if count > 0, worst > best { break }
      (count, best) = (count + 1, worst)
    }
    return count
  }

  /// A row of tiles along the shorter side, and what is left.
  private func cut(_ areas: ArraySlice<Double>) -> ([Tile], Tile) {
    let sum = areas.reduce(0, +)
    let isUpright = width >= height
    let side = isUpright ? height : width
    // Not more than there is, however the areas were rounded.
    let thickness = side > 0 ? min(sum / side, max(width, height)) : 0
    var (tiles, position): ([Tile], Double) = ([], 0)
    for area in areas {
      let length = sum > 0 ? side * area / sum : 0
      tiles.append(
        isUpright
          ? Tile(x: x, y: y + position, width: thickness, height: length)
          : Tile(x: x + position, y: y, width: length, height: thickness))
      position += length
    }
    let rest =
      isUpright
      ? Tile(x: x + thickness, y: y, width: max(0, width - thickness), height: height)
      : Tile(x: x, y: y + thickness, width: width, height: max(0, height - thickness))
    return (tiles, rest)
  }
}
