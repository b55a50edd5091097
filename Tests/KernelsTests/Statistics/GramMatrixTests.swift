import Kernels
import TestSupport
import Testing

@Suite struct GramMatrixTests {
  /// A matrix with these singular values: reflections on both sides of a diagonal.
  private func matrix(
    _ values: [Double], rows: Int, columns: Int, seed: UInt64
  ) -> [Double] {
    var random = SeededGenerator(seed: seed)
    func reflection(_ order: Int) -> [Double] {
      let u = (0..<order).map { _ in Double.random(in: -1...1, using: &random) }
      let square = u.reduce(0) { $0 + $1 * $1 }
      return (0..<order * order).map { index in
        let (i, j) = (index / order, index % order)
        return (i == j ? 1 : 0) - 2 * u[i] * u[j] / square
      }
    }
    let (left, right) = (reflection(rows), reflection(columns))
    return (0..<rows * columns).map { index in
      let (i, j) = (index / columns, index % columns)
      return values.indices.reduce(0) {
        $0 + left[i * rows + $1] * values[$1] * right[$1 * columns + j]
      }
    }
  }

  private func transposed(_ matrix: [Double], rows: Int, columns: Int) -> [Double] {
    (0..<rows * columns).map { matrix[$0 % rows * columns + $0 / rows] }
  }

  @Test func `finds the singular values that a matrix was made with`() throws {
    let values = [31.0, 7, 2, 0.5, 1e-3]
    let tall = matrix(values, rows: 40, columns: 5, seed: 1)
    var gram = GramMatrix(order: 5)
    // In parts of different heights.
    gram.add(rows: Array(tall[..<65]), count: 13)
    gram.add(rows: Array(tall[65...]), count: 27)
    let found = try #require(gram.singularValues())
    #expect(found.count == 5)
    for (a, b) in zip(found, values) { #expect(abs(a - b) < 1e-7 * 31) }
  }

  @Test func `rows of one are columns of the other`() throws {
    let values = [9.0, 3, 1, 0.25]
    let wide = matrix(values, rows: 4, columns: 30, seed: 2)
    var byColumns = GramMatrix(order: 4)
    for start in [0, 11] {
      let count = start == 0 ? 11 : 19
      byColumns.add(
        columns: (0..<4).flatMap { wide[$0 * 30 + start..<$0 * 30 + start + count] }, count: count)
    }
    var byRows = GramMatrix(order: 4)
    byRows.add(rows: transposed(wide, rows: 4, columns: 30), count: 30)
    let (x, y) = (
      try #require(byColumns.singularValues()), try #require(byRows.singularValues())
    )
    for (a, b) in zip(zip(x, y), values) {
      #expect(abs(a.0 - b) < 1e-7 * 9 && abs(a.1 - b) < 1e-7 * 9)
    }
  }

  @Test func `the norm is that of the matrix`() throws {
    var random = SeededGenerator(seed: 3)
    let elements = (0..<200 * 60).map { _ in Double.random(in: -1...1, using: &random) }
    var gram = GramMatrix(order: 60)
    gram.add(rows: elements, count: 200)
    let values = try #require(gram.singularValues())
    let norm = elements.reduce(0) { $0 + $1 * $1 }
    #expect(abs(values.reduce(0) { $0 + $1 * $1 } - norm) < 1e-10 * norm)
    #expect(values == values.sorted(by: >))
  }

  @Test func `a matrix of rank one, and an empty one`() throws {
    var gram = GramMatrix(order: 3)
    gram.add(rows: [1, 2, 2, 2, 4, 4], count: 2)
    let values = try #require(gram.singularValues())
    #expect(abs(values[0] - 45.0.squareRoot()) < 1e-12)
    #expect(values[1] < 1e-6 && values[2] < 1e-6)
    #expect(GramMatrix(order: 0).singularValues() == [])
  }
}
