import Kernels
import TestSupport
import Testing

@Suite struct NormalizationTests {
  @Test(arguments: sizes, [1e-12, 1e-5, 0.1])
  func `is the deviation in units of its standard deviation`(_ width: Int, _ epsilon: Double) {
    check(width: width, epsilon, Float.self)
    check(width: width, epsilon, Double.self)
  }

  private func check<Scalar: Precision>(width: Int, _ epsilon: Double, _: Scalar.Type) {
    var randoms = Randoms(seed: UInt64(width))
    let x = randoms.array(5, 7, width, of: Scalar.self)
    let weight = randoms.array(width, of: Scalar.self)
    let bias = randoms.array(width, of: Scalar.self)
    let y = layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
    #expect(y.shape == x.shape)
    let expected = naiveLayerNorm(x, weight, bias, epsilon)
    #expect(y.error(from: expected) <= 5 * Scalar.tolerance, "seed \(width)")
  }

  @Test func `a large mean does not swallow the variance`() {
    // The mean of squares minus the square of the mean would lose every digit.
    let x = NDArray(shape: [1, 4], elements: [Double(1e8) + 1, 1e8 + 2, 1e8 + 3, 1e8 + 4])
    let (weight, bias) = (NDArray(shape: [4], repeating: 1.0), NDArray(shape: [4], repeating: 0.0))
    let y = layerNorm(x, weight: weight, bias: bias, epsilon: 0)
    let unit = 1 / 1.25.squareRoot()
    #expect(y.error(from: [-1.5 * unit, -0.5 * unit, 0.5 * unit, 1.5 * unit]) < 1e-12)
  }

  @Test func `a constant row becomes the bias`() {
    let x = NDArray(shape: [1, 33], repeating: Float(3))
    let bias = NDArray(shape: [33], elements: (0..<33).map { Float($0) })
    let y = layerNorm(x, weight: NDArray(shape: [33], repeating: 2), bias: bias, epsilon: 1e-12)
    #expect(y.elements == bias.elements)
  }

  @Test func `NaN spoils its own row only`() {
    var randoms = Randoms(seed: 3)
    var x = randoms.array(40, 9, of: Float.self)
    let weight = randoms.array(9, of: Float.self)
    let clean = layerNorm(x, weight: weight, bias: weight, epsilon: 1e-5)
    x.elements[4 * 9 + 8] = .nan
    let y = layerNorm(x, weight: weight, bias: weight, epsilon: 1e-5)
    for row in 0..<40 {
      if row == 4 {
        #expect(y.row(row).allSatisfy { $0.isNaN })
      } else {
        #expect(y.row(row) == clean.row(row))
      }
    }
  }

  @Test func `empty arrays stay empty`() {
    let one = NDArray(shape: [3], repeating: Float(1))
    let none = NDArray(shape: [0], elements: [Float]())
    let rows = NDArray(shape: [0, 3], elements: [Float]())
    #expect(layerNorm(rows, weight: one, bias: one, epsilon: 1).shape == [0, 3])
    let columns = NDArray(shape: [3, 0], elements: [Float]())
    #expect(layerNorm(columns, weight: none, bias: none, epsilon: 1).shape == [3, 0])
  }
}
