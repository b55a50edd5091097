public import Kernels

/// How a feed-forward network joins its gate and what goes through it.
public enum Gating: Sendable, Equatable {
  /// `activation(gate) ⊙ up`: Shazeer, arXiv 2002.05202, eq. 6.
  case product(Activation)
  /// Both bounded, and the second one greater by one. See `clampedGate`.
  case clamped(limit: Double, slope: Double)

  /// What is applied to the gate while it is computed.
  var activation: Activation {
    if case .product(let activation) = self { activation } else { .linear }
  }

  /// Both joined.
  ///
  /// - Parameter gate: with `activation` applied.
  func join<Scalar: ComputeScalar>(_ gate: consuming NDArray<Scalar>, _ up: NDArray<Scalar>)
    -> NDArray<Scalar>
  {
    switch self {
    case .product: multiply(gate, up)
    case .clamped(let limit, let slope): clampedGate(gate, up, limit: limit, slope: slope)
    }
  }
}
