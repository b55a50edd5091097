/// An element-wise non-linearity, under the names that Hugging Face configurations use.
public enum Activation: String, Sendable, CaseIterable {
  case gelu
  case geluTanh = "gelu_new"
  case geluFast = "gelu_fast"
  case quickGELU = "quick_gelu"
  case gelu10 = "gelu_10"
  case relu
  case relu2
  case relu6
  case leakyReLU = "leaky_relu"
  case silu
  case mish
  case hardSwish = "hardswish"
  case sigmoid
  case tanh
  case linear

  /// The activation of that name or one of its synonyms.
  public init?(name: String) {
    switch name {
    case "gelu_python": self = .gelu
    case "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate": self = .geluTanh
    case "swish": self = .silu
    default: self.init(rawValue: name)
    }
  }
}

/// How many elements a worker maps at a time.
private let elementsPerPiece = 1 << 14

/// `activation(x)` for every element.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func apply<Scalar: ComputeScalar>(
  _ activation: Activation, to x: consuming NDArray<Scalar>
) -> NDArray<Scalar> {
  if activation == .linear { return x }
  let ranges = pieces(of: x.elements.count, size: elementsPerPiece)
  unsafe x.elements.withUnsafeMutableBufferPointer { values in
    Parallel.forEach(count: ranges.count) { piece in
      unsafe apply(activation, to: UnsafeMutableBufferPointer(rebasing: values[ranges[piece]]))
    }
  }
  return x
}

/// `activation(x)` for every element, in place, on the calling thread.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func apply<Scalar: ComputeScalar>(
  _ activation: Activation, to x: UnsafeMutableBufferPointer<Scalar>
) {
  switch activation {
  // Hendrycks, Gimpel: "Gaussian Error Linear Units", arXiv 1606.08415, §2: x·Φ(x).
  case .gelu: unsafe replaceEach(x) { gelu($0) }
  // The same section's approximation by tanh.
  case .geluTanh:
    unsafe replaceEach(x) { geluTanh($0, scale: Scalar((2 / Double.pi).squareRoot())) }
  // The approximation with √(2/π) rounded to ten digits.
  case .geluFast: unsafe replaceEach(x) { geluTanh($0, scale: 0.7978845608) }
  // The same section's approximation by a sigmoid.
  case .quickGELU: unsafe replaceEach(x) { $0 * sigmoid(1.702 * $0) }
  case .gelu10: unsafe replaceEach(x) { clamp(gelu($0), -10, 10) }
  case .relu: unsafe replaceEach(x) { maximum($0, 0) }
  case .relu2: unsafe replaceEach(x) { maximum($0, 0) * maximum($0, 0) }
  case .relu6: unsafe replaceEach(x) { clamp($0, 0, 6) }
  case .leakyReLU: unsafe replaceEach(x) { $0.replacing(with: 0.01 * $0, where: $0 .< 0) }
  // Elfwing, Uchibe, Doya: arXiv 1702.03118; "swish" in Ramachandran et al., arXiv 1710.05941.
  case .silu: unsafe replaceEach(x) { $0 * sigmoid($0) }
  // Misra: arXiv 1908.08681, x·tanh(ln(1 + eˣ)).
  case .mish:
    unsafe replaceEach(x) {
      $0 * Scalar.tanh(each($0) { $0 > 20 ? $0 : Scalar.log1p(Scalar.exp($0)) })
    }
  // Howard et al.: arXiv 1905.02244, §5.2: x·relu6(x + 3)/6.
  case .hardSwish: unsafe replaceEach(x) { $0 * clamp($0 + 3, 0, 6) / 6 }
  case .sigmoid: unsafe replaceEach(x) { sigmoid($0) }
  case .tanh: unsafe replaceEach(x) { Scalar.tanh($0) }
  case .linear: break
  }
}

@inline(always)
private func gelu<Scalar: ComputeScalar>(_ x: SIMD8<Scalar>) -> SIMD8<Scalar> {
  0.5 * x * (1 + Scalar.erf(x * Scalar(0.5.squareRoot())))
}

@inline(always)
private func geluTanh<Scalar: ComputeScalar>(
  _ x: SIMD8<Scalar>, scale: Scalar
) -> SIMD8<Scalar> {
  0.5 * x * (1 + Scalar.tanh(scale * (x + 0.044715 * x * x * x)))
}

@inline(always)
private func sigmoid<Scalar: ComputeScalar>(_ x: SIMD8<Scalar>) -> SIMD8<Scalar> {
  1 / (1 + Scalar.exp(-x))
}

/// The larger number; NaN stays NaN, as in the frameworks.
@inline(always)
private func maximum<Scalar: ComputeScalar>(
  _ x: SIMD8<Scalar>, _ bound: Scalar
) -> SIMD8<Scalar> {
  x.replacing(with: bound, where: x .< bound)
}

@inline(always)
private func clamp<Scalar: ComputeScalar>(
  _ x: SIMD8<Scalar>, _ low: Scalar, _ high: Scalar
) -> SIMD8<Scalar> {
  x.replacing(with: low, where: x .< low).replacing(with: high, where: x .> high)
}
