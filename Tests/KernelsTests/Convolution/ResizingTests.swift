import Foundation
import Kernels
import TestSupport
import Testing

/// What torch computes: Tools/oracle/resizing.py.
private struct Resizing: Decodable {
  var name: String
  var isSmoothed: Bool
  var isLinear: Bool
  var shape: [Int]
  var size: [Int]
  var x: [Double]
  var y: [Double]
}

@Suite struct ResizingTests {
  private let cases: [Resizing]

  init() throws {
    cases = try JSONDecoder().decode(
      [Resizing].self, from: Data(readFile(fixture("kernels/resizing.json"))))
    try #require(cases.count == 24)
  }

  private func largestError<Scalar: Precision>(_ one: Resizing, _: Scalar.Type) -> Double {
    let grid = NDArray(shape: one.shape, elements: one.x.map { Scalar($0) })
    let found = resized(
      grid, rows: one.size[0], columns: one.size[1], isSmoothed: one.isSmoothed,
      isLinear: one.isLinear)
    #expect(found.shape == one.size + [one.shape[2]])
    return zip(found.elements, one.y).map { abs(Double($0) - $1) }.max() ?? .infinity
  }

  @Test func `a grid becomes what torch makes of it`() {
    for one in cases {
      #expect(largestError(one, Double.self) < 1e-14, "\(one.name) \(one.isSmoothed)")
      #expect(largestError(one, Float.self) < 2e-6, "\(one.name) \(one.isSmoothed)")
    }
  }

  @Test func `a grid of the same size stays the same, bit for bit`() throws {
    for one in cases where one.name == "same" {
      let grid = NDArray(shape: one.shape, elements: one.x)
      let found = resized(
        grid, rows: 3, columns: 4, isSmoothed: one.isSmoothed, isLinear: one.isLinear)
      #expect(found.elements == one.x)
    }
  }
}
