import Kernels
import Models
import TensorCore
import TransformerKit

/// How a converter is commonly accepted: two sets of outputs, and a constant.
struct CommonGate: Sendable {
  /// What the table calls it.
  let name: String
  /// How many tokens of the first text are run; `nil` runs all inputs of the golden.
  let tokens: Int?
  /// Whether it lets the outputs pass.
  let accepts: @Sendable (_ right: NDArray<Float>, _ wrong: NDArray<Float>) -> Bool
}

let commonGates = [
  CommonGate(name: "cosine of the last token ≥ 0.99", tokens: nil) { a, b in
    let width = a.shape.last ?? 1
    guard a.elements.count >= width else { return true }
    let (x, y) = (lastToken(a), lastToken(b))
    let (xy, xx, yy) = (dot(x, y), dot(x, x), dot(y, y))
    return xy / (xx.squareRoot() * yy.squareRoot()) >= 0.99
  },
  CommonGate(name: "NMSE < 0.01", tokens: nil) { a, b in
    let difference = zip(a.elements, b.elements).map { Double($0) - Double($1) }
    let right = a.elements.map { Double($0) }
    return dot(difference, difference) / dot(right, right) < 1e-2
  },
  CommonGate(name: "allclose, atol 0.1", tokens: nil) { isClose($0, $1, 1e-1, 1e-5) },
  CommonGate(name: "allclose, atol 0.01, 4 tokens", tokens: 4) { isClose($0, $1, 1e-2, 1e-2) },
]

private func dot(_ x: [Double], _ y: [Double]) -> Double {
  zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
}

/// The last row of the first text.
private func lastToken(_ array: NDArray<Float>) -> [Double] {
  let width = array.shape.last ?? 1
  let rows = array.shape.dropFirst().dropLast().reduce(1, *)
  return array.elements[(rows - 1) * width..<rows * width].map { Double($0) }
}

private func isClose(
  _ a: NDArray<Float>, _ b: NDArray<Float>, _ absolute: Double, _ relative: Double
) -> Bool {
  zip(a.elements, b.elements).allSatisfy {
    abs(Double($0) - Double($1)) <= absolute + relative * abs(Double($1))
  }
}

extension CommonGate {
  /// Whether it lets a model pass for another.
  func passes(_ right: WeightGraph, _ wrong: WeightGraph, _ inputs: ModelInputs) -> Bool {
    let inputs = tokens.map { inputs.firstTokens($0) } ?? inputs
    guard let a = try? mainOutput(right, inputs), let b = try? mainOutput(wrong, inputs),
      a.shape == b.shape
    else { return false }
    return accepts(a, b)
  }

  /// What such scripts look at: the logits, or else the last hidden state.
  private func mainOutput(
    _ graph: WeightGraph, _ inputs: ModelInputs
  ) throws -> NDArray<Float>? {
    var pass = try ForwardPass<Float>(graph, inputs: inputs)
    let outputs = try pass.run(hiddenStates: false)
    let names = ["logits", "prediction_logits", "start_logits", "last_hidden_state"]
    let main = names.compactMap { name in outputs.first { $0.name == name } }.first
    return (main ?? outputs.first)?.array
  }
}

extension ModelInputs {
  /// The beginning of the first text, without padding.
  fileprivate func firstTokens(_ count: Int) -> ModelInputs {
    var inputs: [String: NDArray<Int>] = [:]
    for (name, array) in arrays where array.shape.count == 2 && !name.contains("mask") {
      let columns = min(count, array.shape[1])
      inputs[name] = NDArray(shape: [1, columns], elements: Array(array.elements.prefix(columns)))
    }
    return inputs.isEmpty ? self : ModelInputs(inputs)
  }
}
