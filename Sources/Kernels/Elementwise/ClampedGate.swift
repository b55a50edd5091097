/// `g·σ(slope·g) ⊙ (u + 1)` with `g` at most `limit` and `u` between `−limit` and `limit`: a gated product with bounds.
///
/// OpenAI: arXiv 2508.10925, §2.1, and the `swiglu` of its code (torch/model.py).
///
/// - Parameters:
///   - gate: `g` before it is bounded.
///   - up: `u` before it is bounded, of the same shape.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func clampedGate<Scalar: ComputeScalar>(
  _ gate: consuming NDArray<Scalar>, _ up: NDArray<Scalar>, limit: Double, slope: Double
) -> NDArray<Scalar> {
  precondition(gate.shape == up.shape, "the factors of a product have different shapes")
  let (limit, slope) = (Scalar(limit), Scalar(slope))
  let ranges = pieces(of: gate.elements.count, size: 1 << 14)
  unsafe gate.elements.withUnsafeMutableBufferPointer { gate in
    unsafe up.elements.withUnsafeBufferPointer { up in
      Parallel.forEach(count: ranges.count) { piece in
        unsafe withUnsafeTemporaryAllocation(of: Scalar.self, capacity: ranges[piece].count) {
          powers in
          let first = ranges[piece].lowerBound
          for index in ranges[piece] {
            // Comparisons are so that NaN stays NaN.
            if unsafe gate[index] > limit { unsafe gate[index] = limit }
            unsafe powers[index - first] = -slope * gate[index]
          }
          _ = unsafe Scalar.exponentiate(powers, shift: 0)
          for index in ranges[piece] {
            let u = unsafe up[index]
            let bounded = u > limit ? limit : u < -limit ? -limit : u
            unsafe gate[index] = gate[index] / (1 + powers[index - first]) * (bounded + 1)
          }
        }
      }
    }
  }
  return gate
}
