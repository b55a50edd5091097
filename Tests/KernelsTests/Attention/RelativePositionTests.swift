import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct RelativePositionTests {
  /// The smallest distance in each bucket that holds more than one, of keys before the query.
  private func starts(_ buckets: RelativeBuckets, count: Int) -> [Int] {
    (1..<2000).filter { buckets(-$0) != buckets(1 - $0) && buckets(-$0) >= count / 2 }
  }

  @Test func `T5's buckets begin where Hugging Face's do`() {
    let both = RelativeBuckets(count: 32, maxDistance: 128, isBidirectional: true)
    #expect(starts(both, count: 16) == [8, 12, 16, 23, 32, 46, 64, 91])
    let before = RelativeBuckets(count: 32, maxDistance: 128, isBidirectional: false)
    #expect(
      starts(before, count: 32)
        == [16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113])
  }

  @Test func `a bound that is a whole number is not missed by rounding`() {
    // (24/18)^18 = (32/18)^9, which logarithms in double precision put just below.
    let buckets = RelativeBuckets(count: 36, maxDistance: 32, isBidirectional: false)
    #expect(buckets(-23) == 25 && buckets(-24) == 27)
  }

  @Test func `keys behind the query have buckets of their own, or none`() {
    let both = RelativeBuckets(count: 32, maxDistance: 128, isBidirectional: true)
    #expect(both(0) == 0)
    for distance in 1..<300 { #expect(both(distance) == both(-distance) + 16) }
    let before = RelativeBuckets(count: 32, maxDistance: 128, isBidirectional: false)
    for distance in 0..<300 { #expect(before(distance) == 0) }
  }

  /// T5's formula, `near + ⌊ln(d/near) / ln(far/near) · (count − near)⌋`, with a little added where it
  /// is a whole number.
  @Test(arguments: [4, 6, 8, 9, 15, 16, 20, 32, 36, 64, 100], [40, 64, 100, 128, 256, 512])
  func `buckets are those of the formula`(_ count: Int, _ far: Int) {
    let near = count / 2
    guard far > near else { return }
    let buckets = RelativeBuckets(count: count, maxDistance: far, isBidirectional: false)
    for distance in 0..<700 {
      let place = log(Double(distance) / Double(near)) / log(Double(far) / Double(near))
      let expected =
        distance < near
        ? distance : min(count - 1, near + Int(place * Double(count - near) + 1e-11))
      #expect(buckets(-distance) == expected, "\(count) buckets, \(far), distance \(distance)")
    }
  }

  @Test(arguments: [(1, 1, 0), (5, 5, 0), (1, 8, 7), (3, 9, 6), (4, 2, 0)])
  func `the bias is the table's row of the distance`(_ queries: Int, _ keys: Int, _ first: Int) {
    var randoms = Randoms(seed: 5)
    let table = randoms.array(6, 3, of: Double.self)
    for isBidirectional in [true, false] {
      let buckets = RelativeBuckets(count: 6, maxDistance: 5, isBidirectional: isBidirectional)
      let bias = relativeBias(
        table: table, buckets: buckets, queries: queries, keys: keys, firstQuery: first)
      #expect(bias.shape == [3, queries + keys - 1])
      for head in 0..<3 {
        for query in 0..<queries {
          for key in 0..<keys {
            let row = buckets(key - (first + query))
            #expect(bias.at(head, queries - 1 - query + key) == table.at(row, head))
          }
        }
      }
    }
  }
}

@Suite struct RMSNormTests {
  @Test(arguments: sizes, [1e-12, 1e-6, 0.1])
  func `divides by the root of the mean square`(_ width: Int, _ epsilon: Double) {
    check(width: width, epsilon, Float.self)
    check(width: width, epsilon, Double.self)
  }

  private func check<Scalar: Precision>(width: Int, _ epsilon: Double, _: Scalar.Type) {
    var randoms = Randoms(seed: UInt64(width))
    let x = randoms.array(5, 7, width, of: Scalar.self)
    let weight = randoms.array(width, of: Scalar.self)
    let y = rmsNorm(x, weight: weight, epsilon: epsilon)
    #expect(y.shape == x.shape)
    let expected = (0..<x.rows).flatMap { row -> [Double] in
      let values = x.row(row).map { Double($0) }
      let meanSquare = values.map { $0 * $0 }.reduce(0, +) / Double(width)
      return zip(values, weight.elements).map {
        $0 / (meanSquare + epsilon).squareRoot() * Double($1)
      }
    }
    #expect(y.error(from: expected) <= 5 * Scalar.tolerance, "seed \(width)")
  }
}

@Suite struct SequenceTests {
  private let x = NDArray(shape: [2, 3, 2], elements: (0..<12).map(Double.init))

  @Test func `positions are taken from each sequence`() {
    #expect(selectPositions([2, 0], of: x) == NDArray(shape: [2, 2], elements: [4, 5, 6, 7]))
    let choices = x.reshaped([1, 2, 3, 2])
    #expect(
      selectPositions([1, 2], of: choices) == NDArray(shape: [1, 2, 2], elements: [2, 3, 10, 11]))
  }

  @Test func `positions of each sequence are replaced`() {
    var y = x
    replacePositions(
      of: &y, from: 1, by: NDArray(shape: [2, 1, 2], elements: [20.0, 21, 22, 23]))
    #expect(y.shape == [2, 3, 2])
    #expect(y.elements == [0, 1, 20, 21, 4, 5, 6, 7, 22, 23, 10, 11])
  }

  @Test func `products and multiples are element by element`() {
    #expect(multiply(x, x).elements == x.elements.map { $0 * $0 })
    #expect(scaled(x, by: 0.5).elements == x.elements.map { $0 / 2 })
  }
}
