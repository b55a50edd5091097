import Kernels
import TestSupport
import Testing

@Suite struct RankSketchTests {
  /// A product of random factors: of that rank, with probability 1.
  private func matrix(_ rows: Int, _ columns: Int, rank: Int) -> [Double] {
    var random = SeededGenerator(seed: UInt64(rows * columns + rank))
    func numbers(_ count: Int) -> [Double] {
      (0..<count).map { _ in Double.random(in: -1...1, using: &random) }
    }
    let (a, b) = (numbers(rows * rank), numbers(rank * columns))
    return (0..<rows * columns).map { place in
      let (row, column) = (place / columns, place % columns)
      return (0..<rank).reduce(0) { $0 + a[row * rank + $1] * b[$1 * columns + column] }
    }
  }

  private func sketch(_ values: [Double], rows: Int, columns: Int) -> RankSketch {
    var sketch = RankSketch(columns: columns)
    // Cut anywhere: the result is the same matrix.
    let cut = rows / 3
    sketch.add(rows: Array(values[..<(cut * columns)]), count: cut)
    sketch.add(rows: Array(values[(cut * columns)...]), count: rows - cut)
    return sketch
  }

  @Test(arguments: [
    (40, 24, 0), (40, 24, 3), (24, 40, 24), (200, 300, 0), (200, 300, 5), (90, 170, 60),
    (300, 161, 79), (5, 400, 5),
  ])
  func `as many directions are left as the rank`(_ rows: Int, _ columns: Int, _ rank: Int) throws {
    let sketch = sketch(matrix(rows, columns, rank: rank), rows: rows, columns: columns)
    #expect(
      sketch.isExact == (columns <= 160)
        && sketch.width == min(columns, sketch.isExact ? columns : 80))
    let values = try #require(sketch.singularValues())
    let largest = values.first ?? 0
    #expect(values.count { $0 > 1e-7 * largest } == rank)
  }

  @Test func `a matrix of full rank takes up all directions`() throws {
    let values = matrix(200, 300, rank: 200)
    let found = try #require(sketch(values, rows: 200, columns: 300).singularValues())
    #expect(found.count == 80 && found.allSatisfy { $0 > 0.01 * found[0] })
  }

  @Test func `few columns are looked at as they are`() throws {
    var sketch = RankSketch(columns: 3)
    sketch.add(rows: [3, 0, 0, 0, -2, 0], count: 2)
    let values = try #require(sketch.singularValues())
    #expect(values == [3, 2, 0])
  }

  @Test func `what is not finite has no rank`() {
    var sketch = RankSketch(columns: 2)
    sketch.add(rows: [1, .nan], count: 1)
    #expect(sketch.singularValues() == nil)
  }
}
