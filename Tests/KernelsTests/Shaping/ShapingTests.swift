import Foundation
import Kernels
import TestSupport
import Testing

/// Calls `body` with the indices of every element of a shape, in C order.
private func forEachIndex(of shape: [Int], _ body: ([Int]) -> Void) {
  var index = Array(repeating: 0, count: shape.count)
  for _ in 0..<shape.reduce(1, *) {
    body(index)
    for axis in shape.indices.reversed() {
      index[axis] += 1
      if index[axis] < shape[axis] { break }
      index[axis] = 0
    }
  }
}

extension NDArray where Element: ComputeScalar {
  /// The element at those indices; an axis of extent 1, or one that is missing, repeats.
  fileprivate func repeating(at indices: [Int]) -> Double {
    var flat = 0
    for (index, extent) in zip(indices.suffix(shape.count), shape) {
      flat = flat * extent + (extent == 1 ? 0 : index)
    }
    return Double(elements[flat])
  }
}

extension Randoms {
  fileprivate mutating func array<Scalar: Precision>(
    shape: [Int], of _: Scalar.Type
  ) -> NDArray<Scalar> {
    array(shape.reduce(1, *), of: Scalar.self).reshaped(shape)
  }
}

@Suite struct ShapingTests {
  private static let permutations: [([Int], [Int])] = [
    ([7], [0]), ([3, 5], [1, 0]), ([2, 33, 7], [2, 0, 1]), ([2, 33, 7], [0, 1, 2]),
    ([2, 3, 65, 9], [0, 2, 1, 3]), ([300, 65], [1, 0]), ([1, 2, 1, 3, 4], [4, 2, 0, 3, 1]),
    ([3, 0, 2], [2, 1, 0]), ([], []),
  ]

  @Test(arguments: permutations) func `permuting moves every element`(
    _ shape: [Int], _ axes: [Int]
  ) {
    check(shape, axes, Float.self)
    check(shape, axes, Double.self)
  }

  private func check<Scalar: Precision>(_ shape: [Int], _ axes: [Int], _: Scalar.Type) {
    var randoms = Randoms(seed: 41)
    let x = randoms.array(shape: shape, of: Scalar.self)
    let y = permute(x, axes)
    #expect(y.shape == axes.map { shape[$0] })
    var expected: [Double] = []
    forEachIndex(of: y.shape) { index in
      var source = index
      for (axis, own) in axes.enumerated() { source[own] = index[axis] }
      expected.append(x.repeating(at: source))
    }
    #expect(y.error(from: expected) == 0)
  }

  @Test(arguments: [0, 1, 2]) func `joining and splitting undo each other`(_ axis: Int) {
    check(axis, Float.self)
    check(axis, Double.self)
  }

  private func check<Scalar: Precision>(_ axis: Int, _: Scalar.Type) {
    var randoms = Randoms(seed: 42)
    let sizes = [3, 1, 0, 7]
    let parts = sizes.map { size in
      var shape = [2, 5, 3]
      shape[axis] = size
      return randoms.array(shape: shape, of: Scalar.self)
    }
    let whole = join(parts, axis: axis)
    #expect(whole.shape[axis] == 11)
    var expected: [Double] = []
    forEachIndex(of: whole.shape) { index in
      var (part, place) = (0, index)
      while place[axis] >= sizes[part] {
        place[axis] -= sizes[part]
        part += 1
      }
      var flat = 0
      for (index, extent) in zip(place, parts[part].shape) { flat = flat * extent + index }
      expected.append(Double(parts[part].elements[flat]))
    }
    #expect(whole.error(from: expected) == 0)
    #expect(split(whole, axis: axis, sizes: sizes) == parts)
  }

  @Test func `rows are gathered as named`() {
    var randoms = Randoms(seed: 43)
    let table = randoms.array(7, 5, of: Double.self)
    let rows = NDArray(shape: [2, 3], elements: [6, 0, 3, 3, 1, 6])
    let result = gatherRows(table, rows)
    #expect(result.shape == [2, 3, 5])
    #expect(result.elements == rows.elements.flatMap { Array(table.row($0)) })
    let half = NDArray(shape: [2, 1], elements: [Float(1), 2])
    #expect(gatherRows(half, NDArray(shape: [1], elements: [1])).elements == [2])
  }

  private static let pairs: [([Int], [Int])] = [
    ([3, 5], [3, 5]), ([2, 7, 33], [33]), ([2, 7, 33], [7, 1]), ([2, 1, 33], [1, 7, 1]), ([], [4]),
    ([300, 65], [300, 1]), ([2, 0, 3], [3]), ([5], [1]), ([1, 3], [2, 3, 3]),
  ]

  @Test(arguments: pairs) func `short axes repeat`(_ a: [Int], _ b: [Int]) {
    checkBroadcasting(a, b, Float.self)
    checkBroadcasting(a, b, Double.self)
  }

  private func checkBroadcasting<Scalar: Precision>(_ a: [Int], _ b: [Int], _: Scalar.Type) {
    var randoms = Randoms(seed: 44)
    let (x, y) = (
      randoms.array(shape: a, of: Scalar.self), randoms.array(shape: b, of: Scalar.self)
    )
    let (sum, product) = (addBroadcasting(x, y), multiplyBroadcasting(x, y))
    var (sums, products): ([Double], [Double]) = ([], [])
    forEachIndex(of: sum.shape) { index in
      let (p, q) = (Scalar(x.repeating(at: index)), Scalar(y.repeating(at: index)))
      sums.append(Double(p + q))
      products.append(Double(p * q))
    }
    #expect(sum.shape.count == max(a.count, b.count) && sum.shape == product.shape)
    #expect(sum.error(from: sums) == 0 && product.error(from: products) == 0)
  }

  private static let products: [([Int], [Int], Int, Int, Int)] = [
    ([], [], 3, 5, 7), ([2, 3], [2, 3], 33, 7, 65), ([4], [1], 7, 33, 1),
    ([1, 3], [2, 1], 5, 1, 9),
    ([], [2], 600, 33, 70), ([3], [], 1, 65, 300), ([2], [2], 4, 0, 3), ([0], [1], 4, 2, 3),
  ]

  @Test(arguments: products, [false, true])
  func `products of many matrices`(
    _ form: ([Int], [Int], Int, Int, Int), _ isTransposed: Bool
  ) {
    check(form, isTransposed, Float.self)
    check(form, isTransposed, Double.self)
  }

  private func check<Scalar: Precision>(
    _ form: ([Int], [Int], Int, Int, Int), _ isTransposed: Bool, _: Scalar.Type
  ) {
    var randoms = Randoms(seed: 45)
    let (rows, inner, columns) = (form.2, form.3, form.4)
    let a = randoms.array(shape: form.0 + [rows, inner], of: Scalar.self)
    let b = randoms.array(
      shape: form.1 + (isTransposed ? [columns, inner] : [inner, columns]), of: Scalar.self)
    let result = batchedProduct(a, b, isTransposed: isTransposed)
    #expect(Array(result.shape.suffix(2)) == [rows, columns])
    var expected: [Double] = []
    forEachIndex(of: result.shape) { index in
      let (batch, row, column) = (
        Array(index.dropLast(2)), index[index.count - 2], index[index.count - 1]
      )
      expected.append(
        (0..<inner).reduce(0) { sum, i in
          sum + a.repeating(at: batch + [row, i])
            * b.repeating(at: batch + (isTransposed ? [column, i] : [i, column]))
        })
    }
    // Extents of 1 repeat here, and are right there.
    #expect(result.error(from: expected) <= Scalar.tolerance)
  }

  @Test(arguments: sizes) func `softmax is the share of each exponential`(_ width: Int) {
    checkSoftmax(width, Float.self)
    checkSoftmax(width, Double.self)
  }

  private func checkSoftmax<Scalar: Precision>(_ width: Int, _: Scalar.Type) {
    var randoms = Randoms(seed: 46)
    let x = scaled(randoms.array(3, 7, width, of: Scalar.self), by: 9)
    let expected = (0..<21).flatMap { row in
      let weights = x.row(row).map { exp(Double($0)) }
      return weights.map { $0 / weights.reduce(0, +) }
    }
    #expect(softmax(x).error(from: expected) <= Scalar.tolerance)
  }

  @Test func `softmax of large numbers does not overflow, and minus infinity has no share`() {
    let numbers: [Float] = [1e30, -Float.infinity, 1e30, 5, 5, -Float.infinity]
    let x = NDArray(shape: [2, 3], elements: numbers)
    #expect(softmax(x).elements == [0.5, 0, 0.5, 0.5, 0.5, 0])
    #expect(softmax(NDArray(shape: [2, 0], elements: [Double]())).shape == [2, 0])
  }

  @Test(arguments: [0, 1, 3, 33]) func `the largest come first, of equal ones the first`(_ k: Int) {
    checkLargest(k, Float.self)
    checkLargest(k, Double.self)
  }

  private func checkLargest<Scalar: Precision>(_ k: Int, _: Scalar.Type) {
    var randoms = Randoms(seed: 47)
    // Few different numbers, so that many are equal.
    let x = NDArray(
      shape: [2, 3, 33],
      elements: randoms.array(198, of: Double.self).elements.map { Scalar(($0 * 5).rounded()) })
    let result = largest(k, of: x)
    #expect(result.values.shape == [2, 3, k] && result.places.shape == [2, 3, k])
    for row in 0..<6 {
      let values = Array(x.row(row))
      let order = values.indices.sorted {
        values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1]
      }
      #expect(Array(result.places.row(row)) == Array(order.prefix(k)))
      #expect(Array(result.values.row(row)) == order.prefix(k).map { values[$0] })
    }
  }

  @Test func `what is no number is the largest`() {
    let x = NDArray(shape: [5], elements: [1, .nan, .infinity, .nan, 7.0])
    #expect(largest(3, of: x).places.elements == [1, 3, 2])
  }
}
