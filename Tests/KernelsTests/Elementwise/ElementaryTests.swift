import Foundation
import Kernels
import TestSupport
import Testing

/// The single-precision functions of many numbers against the C library's in double precision.
@Suite struct ElementaryTests {
  /// The functions; each replaces the numbers of a part of an array.
  private enum Function: CaseIterable {
    case exponential, tanh, erf

    func replace(_ range: Range<Int>, of numbers: inout [Float]) {
      unsafe numbers.withUnsafeMutableBufferPointer {
        let part = unsafe UnsafeMutableBufferPointer(rebasing: $0[range])
        switch self {
        case .exponential: _ = unsafe Float.exponentiate(part, shift: 0)
        case .tanh: unsafe Float.tanh(part)
        case .erf: unsafe Float.erf(part)
        }
      }
    }

    func callAsFunction(_ numbers: [Float]) -> [Float] {
      var results = numbers
      replace(numbers.indices, of: &results)
      return results
    }
  }

  /// Numbers of all magnitudes, and where something begins or ends.
  private let numbers: [Float] =
    stride(from: Float(-100), through: 100, by: 0.0371).map(\.self)
    + (-140...40).flatMap { [Float(sign: .plus, exponent: $0 / 2, significand: 1.37)] }
    + [0, -0.0, 87.29, 88.29, -87.29, 3.99, 4.01, -7.9, 7.91, 1e-30, -1e-30]

  private func check(
    _ function: Function, _ right: (Double) -> Double, within limit: Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let numbers = numbers.filter { abs($0) < 88 }
    for (x, y) in zip(numbers, function(numbers)) {
      let (value, goal) = (Double(y), right(Double(x)))
      let error = abs(value - goal) / max(abs(goal), 1e-36)
      #expect(error <= limit, "\(x): \(value), \(goal)", sourceLocation: sourceLocation)
    }
  }

  @Test func `eˣ`() {
    check(.exponential, { $0 < -87.3 ? 0 : Foundation.exp($0) }, within: 2e-7)
    #expect(
      Function.exponential([-.infinity, -3.4e38, 200, 0, .infinity])
        == [0, 0, .infinity, 1, .infinity])
  }

  @Test func `tanh and erf`() {
    check(.tanh, Foundation.tanh, within: 5e-7)
    check(.erf, Foundation.erf, within: 5e-7)
    for function in [Function.tanh, .erf] {
      let ends = function([.infinity, -.infinity])
      #expect(abs(ends[0] - 1) < 1e-7 && abs(ends[1] + 1) < 1e-7)
    }
  }

  @Test(arguments: [1, 2, 15, 16, 17, 31, 32, 33, 100])
  func `where a number stands does not matter, and nothing else is touched`(_ count: Int) {
    let some = numbers.filter { abs($0) < 5 }.prefix(count)
    for function in Function.allCases {
      let alone = some.map { function([$0])[0] }
      var together = [-7] + some + [-7]
      function.replace(1..<count + 1, of: &together)
      #expect(together == [-7] + alone + [-7])
    }
  }

  @Test func `NaN stays NaN, alone`() {
    var x = [Float](repeating: 0.5, count: 20)
    x[5] = .nan
    x[18] = .nan
    for function in Function.allCases {
      #expect(function(x).map(\.isNaN) == x.map(\.isNaN))
    }
  }

  @Test(arguments: [1, 15, 16, 17, 100, 1000])
  func `a sum of exponentials is that of its terms`(_ count: Int) {
    var randoms = Randoms(seed: 7)
    var x = randoms.array(count, of: Float.self).elements
    let sum = unsafe x.withUnsafeMutableBufferPointer {
      unsafe Float.exponentiate($0, shift: 0.25)
    }
    let goal = x.reduce(0) { $0 + Double($1) }
    #expect(abs(Double(sum) - goal) <= 1e-6 * goal)
  }

  @Test(arguments: [1, 15, 16, 17, 100])
  func `scores are scaled, moved and hidden as in double precision`(_ count: Int) {
    var randoms = Randoms(seed: 8)
    let x = randoms.array(count, of: Float.self).elements
    let bias = randoms.array(count, of: Float.self).elements
    let hidden = (0..<count).map { $0 % 3 == 1 ? Float(1) : 0 }
    for (hasBias, hides) in [(false, false), (true, false), (false, true), (true, true)] {
      let (single, largest) = score(x, hasBias ? bias : nil, hides ? hidden : nil)
      let (double, most) = score(
        x.map(Double.init), hasBias ? bias.map(Double.init) : nil,
        hides ? hidden.map(Double.init) : nil)
      for index in 0..<count {
        let isHidden = hides && hidden[index] > 0
        #expect(
          isHidden
            ? single[index] == -.greatestFiniteMagnitude
              && double[index] == -.greatestFiniteMagnitude
            : abs(Double(single[index]) - double[index]) < 1e-6)
      }
      #expect(largest == single.max() && most == double.max())
    }
    #expect(score([Float.nan, -2], nil, nil).1 == -1.4)
    #expect(score([Float.nan], nil, nil).1 == -.infinity)
    #expect(score([Float](), nil, nil).1 == -.infinity)
  }

  private func score<Scalar: ComputeScalar>(
    _ x: [Scalar], _ bias: [Scalar]?, _ hidden: [Scalar]?
  ) -> ([Scalar], Scalar) {
    var scores = x
    let largest = unsafe scores.withUnsafeMutableBufferPointer { scores in
      unsafe (bias ?? []).withUnsafeBufferPointer { biases in
        unsafe (hidden ?? []).withUnsafeBufferPointer { hides in
          unsafe Scalar.score(
            scores, scale: 0.7, bias: bias == nil ? nil : biases.baseAddress,
            hidden: hidden == nil ? nil : hides.baseAddress)
        }
      }
    }
    return (scores, largest)
  }

  @Test(arguments: [1, 255, 256, 257, 600, 768, 1000, 3072, 30522, 32128, 50257])
  func `pieces of columns cover a matrix, evenly`(_ columns: Int) {
    let size = columnsPerPiece(of: columns)
    #expect(size > 0 && size <= 1024 && size.isMultiple(of: 16))
    #expect(columns <= 256 || columns / size >= 2)
  }
}
