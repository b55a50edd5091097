#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif
import Kernels
import Models
import TensorCore

/// Finds which number in the config makes a model compute what a golden holds, where that is none of the usual
/// ones.
///
/// It goes by the secant from value to value, each time to where the difference from the golden would be least
/// if outputs were linear in the number's logarithm: Gauss and Newton's method in one unknown.
struct FactSolver {
  private let model: Model
  private let golden: Golden
  /// The first output that is wrong, and what it should be.
  private let goal: NamedArray<Double>
  private let scale: Double

  init?(_ model: Model, _ golden: Golden, firstWrong: String) {
    guard let goal = golden.outputs.first(where: { $0.name == firstWrong }) else { return nil }
    let scale = goal.array.elements.map(\.magnitude).max() ?? 0
    guard scale > 0, scale.isFinite else { return nil }
    (self.model, self.golden, self.goal, self.scale) = (model, golden, goal, scale)
  }

  /// Values near which the output is the golden's, best first.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  func candidates(for fact: ConfigFact) throws(CheckpointError) -> [Double] {
    guard case .number(let usual) = fact.kind, fact.name != nil else { return [] }
    let starts = [fact.value.double].compactMap(\.self) + usual.prefix(1) + [1]
    for start in starts where start > 0 {
      guard let value = try value(of: fact, from: log(start)) else { continue }
      // As a person would have written it, if that is it.
      return [Double("\(Float(value))"), value].compactMap(\.self)
    }
    return []
  }

  private func value(of fact: ConfigFact, from start: Double) throws(CheckpointError) -> Double? {
    var (x, last) = (start + 0.05, start)
    guard var before = try differences(fact, last), var now = try differences(fact, x) else {
      return nil
    }
    var best = Double.infinity
    for step in 0..<24 {
      let slope = zip(now, before).map { ($0 - $1) / (x - last) }
      let (steepness, overlap) = (dot(slope, slope), dot(slope, now))
      guard steepness > 0, overlap.isFinite else { return nil }
      let move = min(max(-overlap / steepness, -1), 1)
      (last, before) = (x, now)
      x += move
      if abs(move) < 1e-14 { return exp(x) }
      guard let next = try differences(fact, x) else { return nil }
      now = next
      let size = dot(now, now)
      if size == 0 || size.squareRoot() < 1e-12 { return exp(x) }
      // What does not come nearer in the end is no solution.
      if step > 6, size > 0.5 * best { return best < 1e-20 ? exp(x) : nil }
      best = min(best, size)
    }
    return nil
  }

  private func dot(_ x: [Double], _ y: [Double]) -> Double {
    zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// How far the output is from the golden's, element by element; `nil` if there is none of that shape.
  private func differences(
    _ fact: ConfigFact, _ logarithm: Double
  ) throws(CheckpointError) -> [Double]? {
    guard let graph = model.with([(fact.path, .double(exp(logarithm)))]),
      var pass = try? ForwardPass<Double>(graph, inputs: golden.inputs)
    else { return nil }
    while let result = try pass.advance() {
      guard let output = result.outputs.first(where: { $0.name == goal.name }) else { continue }
      guard output.value.shape == goal.array.shape else { return nil }
      return zip(try output.value.array().elements, goal.array.elements).map { ($0 - $1) / scale }
    }
    return nil
  }
}
