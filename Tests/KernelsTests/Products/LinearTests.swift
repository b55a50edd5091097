import Kernels
import TestSupport
import Testing

@Suite struct LinearTests {
  @Test(arguments: sizes, sizes) func `is the sum of products`(_ inner: Int, _ columns: Int) {
    // Up to four rows there is another kernel.
    for rows in [1, 2, 3, 4, 5, 7, 300] {
      check(rows: rows, inner: inner, columns: columns, Float.self)
      check(rows: rows, inner: inner, columns: columns, Double.self)
    }
  }

  private func check<Scalar: Precision>(rows: Int, inner: Int, columns: Int, _: Scalar.Type) {
    let seed = UInt64(rows * 1_000_000 + inner * 1000 + columns)
    var randoms = Randoms(seed: seed)
    let x = randoms.array(rows, inner, of: Scalar.self)
    let weight = randoms.array(columns, inner, of: Scalar.self)
    let bias = randoms.array(columns, of: Scalar.self)
    let limit = Scalar.tolerance * Double(inner).squareRoot()
    let y = linear(x, weight: weight, bias: bias)
    #expect(y.shape == [rows, columns])
    #expect(y.error(from: naiveLinear(x, weight, bias)) <= limit, "seed \(seed)")
    let addend = randoms.array(rows, columns, of: Scalar.self)
    let sum = project(x, by: Projection(weight: weight, bias: bias), adding: addend)
    let goal = zip(naiveLinear(x, weight, bias), addend.elements).map { $0 + Double($1) }
    #expect(sum.error(from: goal) <= limit, "seed \(seed)")
    let withoutBias = linear(x, weight: weight, bias: nil)
    #expect(withoutBias.error(from: naiveLinear(x, weight, nil)) <= limit, "seed \(seed)")
  }

  @Test func `outer axes are kept`() {
    var randoms = Randoms(seed: 1)
    let x = randoms.array(2, 3, 4, of: Double.self)
    let weight = randoms.array(5, 4, of: Double.self)
    let y = linear(x, weight: weight, bias: nil)
    #expect(y.shape == [2, 3, 5])
    #expect(y.elements == linear(x.reshaped([6, 4]), weight: weight, bias: nil).elements)
    #expect(linear(x.reshaped([24]).reshaped([6, 4]), weight: weight, bias: nil).shape == [6, 5])
  }

  @Test func `empty arrays give empty arrays, and an empty sum is the bias`() {
    var randoms = Randoms(seed: 2)
    let weight = randoms.array(5, 4, of: Float.self)
    let bias = randoms.array(5, of: Float.self)
    #expect(
      linear(randoms.array(0, 4, of: Float.self), weight: weight, bias: bias).shape == [0, 5])
    let none = linear(
      randoms.array(3, 4, of: Float.self), weight: randoms.array(0, 4, of: Float.self),
      bias: randoms.array(0, of: Float.self))
    #expect(none.shape == [3, 0] && none.elements.isEmpty)
    let empty = linear(
      randoms.array(2, 0, of: Float.self), weight: randoms.array(5, 0, of: Float.self), bias: bias)
    #expect(empty.elements == bias.elements + bias.elements)
  }

  @Test func `NaN and infinity reach their own row, and no other`() {
    var randoms = Randoms(seed: 3)
    var x = randoms.array(300, 33, of: Float.self)
    let weight = randoms.array(65, 33, of: Float.self)
    let clean = linear(x, weight: weight, bias: nil)
    x.elements[7 * 33 + 5] = .nan
    let y = linear(x, weight: weight, bias: nil)
    for row in 0..<300 {
      if row == 7 {
        #expect(y.row(row).allSatisfy { $0.isNaN })
      } else {
        #expect(y.row(row).elementsEqual(clean.row(row)), "row \(row)")
      }
    }
  }

  @Test func `NaN times zero is NaN`() {
    // A product that skips zeros would hide a broken weight.
    let x = NDArray(shape: [1, 2], elements: [Float(0), 1])
    let weight = NDArray(shape: [1, 2], elements: [Float.nan, 1])
    #expect(linear(x, weight: weight, bias: nil).elements[0].isNaN)
  }
}

@Suite struct ElementwiseTests {
  @Test(arguments: sizes + [0]) func `adds element by element`(_ size: Int) {
    var randoms = Randoms(seed: UInt64(size))
    let (a, b) = (randoms.array(3, size, of: Float.self), randoms.array(3, size, of: Float.self))
    let expected = zip(a.elements, b.elements).map { $0 + $1 }
    #expect(add(a, b) == NDArray(shape: [3, size], elements: expected))
  }

  @Test func `takes one position of every batch member`() {
    let x = NDArray(shape: [2, 3, 2], elements: (0..<12).map { Double($0) })
    #expect(position(0, of: x) == NDArray(shape: [2, 2], elements: [0, 1, 6, 7]))
    #expect(position(2, of: x) == NDArray(shape: [2, 2], elements: [4, 5, 10, 11]))
  }

  @Test func `takes one column of every row`() {
    let x = NDArray(shape: [2, 2, 3], elements: (0..<12).map { Float($0) })
    #expect(column(1, of: x) == NDArray(shape: [2, 2], elements: [1, 4, 7, 10]))
  }

  @Test func `replaces columns`() {
    var x = NDArray(shape: [2, 4], repeating: Float(0))
    x.replaceColumns(1..<3, by: NDArray(shape: [2, 2], elements: [1, 2, 3, 4]))
    #expect(x.elements == [0, 1, 2, 0, 0, 3, 4, 0])
  }

  @Test func `an array knows its rows, and a scalar is one`() {
    let x = NDArray(shape: [2, 3, 4], elements: Array(0..<24))
    #expect(x.rows == 6 && x.width == 4 && x.row(5) == [20, 21, 22, 23])
    let scalar = NDArray(shape: [], elements: [7])
    #expect(scalar.rows == 1 && scalar.width == 1 && scalar.row(0) == [7])
  }
}
