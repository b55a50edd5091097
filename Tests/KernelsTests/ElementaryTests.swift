import Foundation
import Kernels
import TestSupport
import Testing

/// The single-precision functions of eight numbers against the C library's in double precision.
@Suite struct ElementaryTests {
  /// Numbers of all magnitudes, and where something begins or ends.
  private let numbers: [Float] =
    stride(from: Float(-100), through: 100, by: 0.0371).map(\.self)
    + (-140...40).flatMap { [Float(sign: .plus, exponent: $0 / 2, significand: 1.37)] }
    + [0, -0.0, 87.29, 88.29, -87.29, 3.99, 4.01, -7.9, 7.91, 1e-30, -1e-30]

  private func check(
    _ function: (SIMD8<Float>) -> SIMD8<Float>, _ right: (Double) -> Double, within limit: Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for x in numbers where abs(x) < 88 {
      let (value, goal) = (Double(function(SIMD8(repeating: x))[3]), right(Double(x)))
      let error = abs(value - goal) / max(abs(goal), 1e-36)
      #expect(error <= limit, "\(x): \(value), \(goal)", sourceLocation: sourceLocation)
    }
  }

  @Test func `eˣ`() {
    check(Float.exp, { $0 < -87.3 ? 0 : Foundation.exp($0) }, within: 2e-7)
    #expect(Float.exp(SIMD8<Float>(repeating: -.infinity))[0] == 0)
    #expect(Float.exp(SIMD8<Float>(repeating: -3.4e38))[0] == 0)
    #expect(Float.exp(SIMD8<Float>(repeating: 200))[0] == .infinity)
    #expect(Float.exp(SIMD8<Float>(repeating: 0))[0] == 1)
  }

  @Test func `tanh and erf`() {
    check(Float.tanh, Foundation.tanh, within: 5e-7)
    check(Float.erf, Foundation.erf, within: 5e-7)
    for function in [Float.tanh, Float.erf] as [(SIMD8<Float>) -> SIMD8<Float>] {
      #expect(abs(function(SIMD8(repeating: .infinity))[0] - 1) < 1e-7)
      #expect(abs(function(SIMD8(repeating: -.infinity))[0] + 1) < 1e-7)
    }
  }

  @Test func `NaN stays NaN`() {
    for function in [Float.exp, Float.tanh, Float.erf] as [(SIMD8<Float>) -> SIMD8<Float>] {
      var x = SIMD8<Float>(repeating: 0.5)
      x[5] = .nan
      let y = function(x)
      #expect(y[5].isNaN && !y[4].isNaN)
    }
  }

  @Test(arguments: [1, 255, 256, 257, 600, 768, 1000, 3072, 30522, 32128, 50257])
  func `pieces of columns cover a matrix, evenly`(_ columns: Int) {
    let size = columnsPerPiece(of: columns)
    #expect(size > 0 && size <= 1024 && size.isMultiple(of: 16))
    #expect(columns <= 256 || columns / size >= 2)
  }
}
