import Kernels
import TestSupport
import Testing

/// Products of two narrow matrices, of which parts are computed.
@Suite struct LowRankProductTests {
  private func numbers<Scalar: ComputeScalar>(_ count: Int, _ seed: UInt64) -> [Scalar] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Scalar(Double.random(in: -2...2, using: &random)) }
  }

  /// The definition: a chain of fused steps.
  private func chain<Scalar: ComputeScalar>(
    _ left: [Scalar], _ right: [Scalar], rank: Int, columns: Int, _ element: Int
  ) -> Scalar {
    let (row, column) = element.quotientAndRemainder(dividingBy: columns)
    var sum: Scalar = 0
    for k in 0..<rank { sum.addProduct(left[row * rank + k], right[k * columns + column]) }
    return sum
  }

  private func check<Scalar: ComputeScalar>(
    _ rows: Int, _ rank: Int, _ columns: Int, _: Scalar.Type
  ) {
    let left: [Scalar] = numbers(rows * rank, 1)
    let right: [Scalar] = numbers(rank * columns, 2)
    let product = LowRankProduct(left: left, right: right, rank: rank, columns: columns)
    let whole = (0..<rows * columns).map { chain(left, right, rank: rank, columns: columns, $0) }
    #expect(product.elements(0..<whole.count) == whole)
    var random = SeededGenerator(seed: 3)
    for _ in 0..<20 {
      let start = Int.random(in: 0..<whole.count, using: &random)
      let end = Int.random(in: start...whole.count, using: &random)
      #expect(product.elements(start..<end) == Array(whole[start..<end]))
    }
  }

  @Test(arguments: [(1, 1, 1), (3, 2, 5), (4, 7, 16), (5, 3, 64), (3, 9, 147), (2, 40, 65)])
  func `each element is a chain of fused steps, whatever part is asked for`(
    _ rows: Int, _ rank: Int, _ columns: Int
  ) {
    check(rows, rank, columns, Float.self)
    check(rows, rank, columns, Double.self)
  }
}
