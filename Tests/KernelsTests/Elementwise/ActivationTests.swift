import Foundation
import Kernels
import TestSupport
import Testing

/// What an activation is at −3, −1 and 3: printed by Hugging Face transformers in float64.
private let printedValues: [(Activation, [Double])] = [
  (.gelu, [-0.004049694, -0.1586553, 2.99595]),
  (.geluTanh, [-0.003637392, -0.158808, 2.996363]),
  (.geluFast, [-0.003637392, -0.158808, 2.996363]),
  (.geluMegatron, [-0.003637392, -0.158808, 2.996363]),
  (.quickGELU, [-0.01807131, -0.1542042, 2.981929]),
  (.gelu10, [-0.004049694, -0.1586553, 2.99595]),
  (.relu, [0, 0, 3]), (.relu2, [0, 0, 9]), (.relu6, [0, 0, 3]),
  (.silu, [-0.1422776, -0.2689414, 2.857722]),
  (.mish, [-0.1456475, -0.3034015, 2.986535]),
]

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

private func naive(_ activation: Activation, _ x: Double) -> Double {
  func gelu() -> Double { 0.5 * x * (1 + erfBySeries(x / 2.0.squareRoot())) }
  func geluTanh(_ scale: Double) -> Double {
    0.5 * x * (1 + tanhByDefinition(scale * (x + 0.044715 * x * x * x)))
  }
  return switch activation {
  case .gelu: gelu()
  case .gelu10: min(max(gelu(), -10), 10)
  case .geluTanh: geluTanh((2 / Double.pi).squareRoot())
  case .geluFast: geluTanh(0.7978845608)
  case .geluMegatron: geluTanh(0.79788456)
  case .quickGELU: x * sigmoid(1.702 * x)
  case .relu: max(x, 0)
  case .relu2: max(x, 0) * max(x, 0)
  case .relu6: min(max(x, 0), 6)
  case .leakyReLU: x < 0 ? 0.01 * x : x
  case .silu: x * sigmoid(x)
  // tanh(ln(1 + eˣ)) = ((1 + eˣ)² − 1) / ((1 + eˣ)² + 1)
  case .mish: x > 300 ? x : x * (1 - 2 / ((1 + exp(x)) * (1 + exp(x)) + 1))
  case .hardSwish: x * min(max(x + 3, 0), 6) / 6
  case .sigmoid: sigmoid(x)
  case .tanh: tanhByDefinition(x)
  case .linear: x
  }
}

@Suite struct ActivationTests {
  private func apply<Scalar: Precision>(
    _ activation: Activation, _ values: [Double], in _: Scalar.Type
  ) -> [Double] {
    let x = NDArray(shape: [values.count], elements: values.map { Scalar($0) })
    return Kernels.apply(activation, to: x).elements.map { Double($0) }
  }

  @Test(arguments: printedValues)
  func `has the values that Hugging Face prints`(_ activation: Activation, _ expected: [Double]) {
    for (value, goal) in zip(apply(activation, [-3, -1, 3], in: Double.self), expected) {
      #expect(abs(value - goal) <= 5e-7 * max(1, abs(goal)))
    }
  }

  @Test(arguments: Activation.allCases)
  func `is its formula, in both precisions`(_ activation: Activation) {
    let points = stride(from: -20.0, through: 20, by: 0.125).map { $0 } + [1e-8, -1e-8, 100, -100]
    for (index, (x, value)) in zip(points, apply(activation, points, in: Double.self)).enumerated()
    {
      let goal = naive(activation, x)
      #expect(abs(value - goal) <= 2e-14 * max(1, abs(goal)), "\(x)")
      let single = apply(activation, [points[index]], in: Float.self)[0]
      #expect(abs(single - goal) <= 1e-6 * max(1, abs(goal)), "\(x)")
    }
  }

  @Test(arguments: Activation.allCases)
  func `NaN stays NaN`(_ activation: Activation) {
    #expect(apply(activation, [.nan, 1], in: Double.self)[0].isNaN)
    #expect(apply(activation, [1, .nan], in: Float.self)[1].isNaN)
  }

  @Test(arguments: Activation.allCases)
  func `the ends of the number line are no NaN`(_ activation: Activation) {
    for value in apply(activation, [1e30, -1e30], in: Double.self) { #expect(!value.isNaN) }
    for value in apply(activation, [1e12, -1e12], in: Float.self) { #expect(!value.isNaN) }
  }

  @Test func `the tanh form and the erf form differ by what is known`() {
    let points = stride(from: -5.0, through: 5, by: 0.001).map { $0 }
    let (a, b) = (apply(.gelu, points, in: Double.self), apply(.geluTanh, points, in: Double.self))
    let gap = zip(a, b).map { abs($0 - $1) }.max() ?? 0
    #expect(abs(gap - 4.732e-4) < 1e-7)
  }

  @Test func `keeps shapes, and many elements in their places`() {
    var randoms = Randoms(seed: 1)
    // More than one worker's piece.
    let x = randoms.array(5, 10_000, of: Double.self)
    let y = Kernels.apply(.relu, to: x)
    #expect(y.shape == x.shape)
    #expect(y.elements == x.elements.map { max($0, 0) })
    #expect(Kernels.apply(.gelu, to: NDArray(shape: [0, 3], elements: [Float]())).shape == [0, 3])
  }

  @Test(arguments: [
    ("gelu", Activation.gelu), ("gelu_python", .gelu), ("gelu_new", .geluTanh),
    ("gelu_pytorch_tanh", .geluTanh), ("gelu_python_tanh", .geluTanh), ("gelu_accurate", .geluTanh),
    ("gelu_fast", .geluFast), ("quick_gelu", .quickGELU), ("gelu_10", .gelu10), ("swish", .silu),
    ("silu", .silu), ("relu", .relu), ("relu2", .relu2), ("relu6", .relu6), ("mish", .mish),
    ("leaky_relu", .leakyReLU), ("hardswish", .hardSwish), ("linear", .linear),
    ("sigmoid", .sigmoid), ("tanh", .tanh),
  ])
  func `knows Hugging Face's names`(_ name: String, _ activation: Activation) {
    #expect(Activation(name: name) == activation)
  }

  @Test(arguments: ["GELU", "gelu ", "", "prelu", "geluTanh", "gelu_megatron"])
  func `guesses no other name`(_ name: String) {
    #expect(Activation(name: name) == nil)
  }
}
