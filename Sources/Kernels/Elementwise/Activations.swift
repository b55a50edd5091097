/// An element-wise non-linearity, under the names that Hugging Face configurations use.
public enum Activation: String, Sendable, CaseIterable {
  case gelu
  case geluTanh = "gelu_new"
  case geluFast = "gelu_fast"
  /// No config names it: the code of some models has it.
  case geluMegatron = "gelu_megatron"
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
    case Activation.geluMegatron.rawValue: return nil
    default: self.init(rawValue: name)
    }
  }
}

extension Activation {
  /// Those that configs name.
  public static let named = allCases.filter { $0 != .geluMegatron }
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
  case .gelu: unsafe gelu(x)
  // The same section's approximation by tanh.
  case .geluTanh: unsafe geluTanh(x, scale: Scalar((2 / Double.pi).squareRoot()))
  // The approximation with √(2/π) rounded to ten digits.
  case .geluFast: unsafe geluTanh(x, scale: 0.7978845608)
  // With √(2/π) rounded to eight (NVIDIA/Megatron-LM: model/fused_bias_gelu.py).
  case .geluMegatron: unsafe geluTanh(x, scale: 0.79788456)
  // The same section's approximation by a sigmoid.
  case .quickGELU: unsafe sigmoid(of: 1.702, x) { $0 * $1 }
  case .gelu10:
    unsafe gelu(x)
    unsafe replaceEach(x) { clamp($0, -10, 10) }
  case .relu: unsafe replaceEach(x) { atLeast(0, $0) }
  case .relu2: unsafe replaceEach(x) { atLeast(0, $0) * atLeast(0, $0) }
  case .relu6: unsafe replaceEach(x) { clamp($0, 0, 6) }
  case .leakyReLU: unsafe replaceEach(x) { $0 < 0 ? 0.01 * $0 : $0 }
  // Elfwing, Uchibe, Doya: arXiv 1702.03118; "swish" in Ramachandran et al., arXiv 1710.05941.
  case .silu: unsafe sigmoid(of: 1, x) { $0 * $1 }
  // Misra: arXiv 1908.08681, x·tanh(ln(1 + eˣ)).
  case .mish:
    unsafe replaceEach(x) {
      $0 * Scalar.tanh($0 > 20 ? $0 : Scalar.log1p(Scalar.exp($0)))
    }
  // Howard et al.: arXiv 1905.02244, §5.2: x·relu6(x + 3)/6.
  case .hardSwish: unsafe replaceEach(x) { $0 * clamp($0 + 3, 0, 6) / 6 }
  case .sigmoid: unsafe sigmoid(of: 1, x) { $1 }
  case .tanh: unsafe Scalar.tanh(x)
  case .linear: break
  }
}

/// x·Φ(x) = x/2·(1 + erf(x/√2))
@inline(always)
private func gelu<Scalar: ComputeScalar>(_ x: UnsafeMutableBufferPointer<Scalar>) {
  unsafe replaceEach(
    x, through: { $0 * Scalar(0.5.squareRoot()) }, { unsafe Scalar.erf($0) },
    by: { 0.5 * $0 * (1 + $1) })
}

@inline(always)
private func geluTanh<Scalar: ComputeScalar>(
  _ x: UnsafeMutableBufferPointer<Scalar>, scale: Scalar
) {
  unsafe replaceEach(
    x, through: { scale * ($0 + 0.044715 * $0 * $0 * $0) }, { unsafe Scalar.tanh($0) },
    by: { 0.5 * $0 * (1 + $1) })
}

/// `result(x, σ(factor·x))`
@inline(always)
private func sigmoid<Scalar: ComputeScalar>(
  of factor: Scalar, _ x: UnsafeMutableBufferPointer<Scalar>, _ result: (Scalar, Scalar) -> Scalar
) {
  unsafe replaceEach(
    x, through: { -factor * $0 }, { _ = unsafe Scalar.exponentiate($0, shift: 0) },
    by: { result($0, 1 / (1 + $1)) })
}

/// Replaces every number x by `result(x, f(argument(x)))`, a few at a time.
///
/// - Parameter function: `f`, of all numbers of a buffer at once.
@inline(always)
private func replaceEach<Scalar: ComputeScalar>(
  _ x: UnsafeMutableBufferPointer<Scalar>, through argument: (Scalar) -> Scalar,
  _ function: (UnsafeMutableBufferPointer<Scalar>) -> Void, by result: (Scalar, Scalar) -> Scalar
) {
  let size = 256
  unsafe withUnsafeTemporaryAllocation(of: Scalar.self, capacity: size) { scratch in
    for range in pieces(of: x.count, size: size) {
      let x = unsafe UnsafeMutableBufferPointer(rebasing: x[range])
      let values = unsafe UnsafeMutableBufferPointer(rebasing: scratch[..<range.count])
      for index in x.indices { unsafe values[index] = argument(x[index]) }
      unsafe function(values)
      for index in x.indices { unsafe x[index] = result(x[index], values[index]) }
    }
  }
}

/// The larger number; NaN stays NaN, as in the frameworks.
@inline(always)
private func atLeast<Scalar: ComputeScalar>(_ bound: Scalar, _ x: Scalar) -> Scalar {
  x < bound ? bound : x
}

@inline(always)
private func clamp<Scalar: ComputeScalar>(_ x: Scalar, _ low: Scalar, _ high: Scalar) -> Scalar {
  x < low ? low : x > high ? high : x
}
