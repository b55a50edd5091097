import Foundation
import Kernels
import TestSupport

/// The sizes that matter: around the widths of vectors and of pieces, with and without remainders.
let sizes = [1, 7, 33, 65, 300]

/// A way to make numbers of either precision.
protocol Precision: ComputeScalar {
  /// How far a sum of a few hundred products may be off, relative to the numbers in it.
  static var tolerance: Double { get }
}

extension Float: Precision {
  static var tolerance: Double { 2e-5 }
}

extension Double: Precision {
  static var tolerance: Double { 3e-13 }
}

/// Random arrays from a seed, which the test prints when it fails.
struct Randoms {
  private var generator: SeededGenerator

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
  }

  /// Numbers between −1 and 1.
  mutating func array<Scalar: Precision>(_ shape: Int..., of _: Scalar.Type) -> NDArray<Scalar> {
    let elements = (0..<shape.reduce(1, *)).map { _ in
      Scalar(Double.random(in: -1...1, using: &generator))
    }
    return NDArray(shape: shape, elements: elements)
  }

  /// Truth values, most of them true.
  mutating func mask(_ shape: Int...) -> NDArray<Bool> {
    let elements = (0..<shape.reduce(1, *)).map { _ in Int.random(in: 0..<4, using: &generator) > 0
    }
    return NDArray(shape: shape, elements: elements)
  }

  /// Truth values, few of them true.
  mutating func globals(_ shape: Int...) -> NDArray<Bool> {
    let elements = (0..<shape.reduce(1, *)).map { _ in
      Int.random(in: 0..<20, using: &generator) == 0
    }
    return NDArray(shape: shape, elements: elements)
  }
}

extension NDArray<Bool> {
  /// The element at those indices.
  func at(_ indices: Int...) -> Bool {
    elements[zip(indices, shape).reduce(0) { $0 * $1.1 + $1.0 }]
  }
}

extension NDArray where Element: ComputeScalar {
  /// The element at those indices.
  func at(_ indices: Int...) -> Double {
    var flat = 0
    for (index, extent) in zip(indices, shape) { flat = flat * extent + index }
    return Double(elements[flat])
  }

  /// The bits of all elements.
  var bits: [UInt64] { elements.map { Double($0).bitPattern } }

  /// The largest difference to `expected`, NaN and infinity if it is one anywhere.
  func error(from expected: [Double]) -> Double {
    guard elements.count == expected.count else { return .infinity }
    var largest = 0.0
    for (value, goal) in zip(elements, expected) {
      let error = abs(Double(value) - goal)
      if error.isNaN { return .nan }
      largest = max(largest, error)
    }
    return largest
  }
}

/// `Σ x·w + b`, one product after the other.
func naiveLinear<Scalar: Precision>(
  _ x: NDArray<Scalar>, _ weight: NDArray<Scalar>, _ bias: NDArray<Scalar>?
) -> [Double] {
  (0..<x.rows).flatMap { row in
    (0..<weight.rows).map { column in
      zip(x.row(row), weight.row(column)).reduce(Double(bias?.elements[column] ?? 0)) {
        $0 + Double($1.0) * Double($1.1)
      }
    }
  }
}

/// `(x − mean) / √(variance + ε) · w + b`
func naiveLayerNorm<Scalar: Precision>(
  _ x: NDArray<Scalar>, _ weight: NDArray<Scalar>, _ bias: NDArray<Scalar>, _ epsilon: Double
) -> [Double] {
  (0..<x.rows).flatMap { row in
    let values = x.row(row).map { Double($0) }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    return values.enumerated().map { index, value in
      (value - mean) / (variance + epsilon).squareRoot() * Double(weight.elements[index])
        + Double(bias.elements[index])
    }
  }
}

/// Attention, position by position, with what is hidden left out of the sum.
func naiveAttention<Scalar: Precision>(
  query: NDArray<Scalar>, key: NDArray<Scalar>, value: NDArray<Scalar>, heads: Int, keyHeads: Int,
  scores: Scores<Scalar>
) -> [Double] {
  let (batch, queries, keys) = (query.shape[0], query.shape[1], key.shape[1])
  let (size, valueSize) = (query.width / heads, value.width / keyHeads)
  var result: [Double] = []
  for member in 0..<batch {
    for q in 0..<queries {
      for head in 0..<heads {
        let keyHead = head * keyHeads / heads
        var weights = (0..<keys).map { k in
          var score = (0..<size).reduce(0) { sum, i in
            sum + query.at(member, q, head * size + i) * key.at(member, k, keyHead * size + i)
          }
          score *= scores.scale
          if let cap = scores.softcap { score = cap * tanhByDefinition(score / cap) }
          if let bias = scores.bias {
            let place = member * bias.batch + head * bias.head + q * bias.query + k * bias.key
            score += Double(bias.array.elements[bias.offset + place])
          }
          return exp(score) * Double(scores.keys.times(k, isSeenBy: q, head: head, in: member))
        }
        // All have the lowest score, and equal weights unless there is a sink, beside which they are
        // nothing.
        if weights.allSatisfy({ $0 == 0 }) && scores.sinks == nil {
          weights = weights.map { _ in 1 }
        }
        let sink = scores.sinks.map { exp($0.at(head)) } ?? 0
        let sum = weights.reduce(sink, +)
        result += (0..<valueSize).map { i in
          (0..<keys).reduce(0) {
            $0 + weights[$1] / sum * value.at(member, $1, keyHead * valueSize + i)
          }
        }
      }
    }
  }
  return result
}

extension KeyPlan {
  /// How often a query counts a key.
  fileprivate func times(_ key: Int, isSeenBy query: Int, head: Int, in member: Int) -> Int {
    if let allowed {
      let isAllowed =
        allowed.shape.count == 2 ? allowed.at(member, key) : allowed.at(member, query, key)
      if !isAllowed { return 0 }
    }
    let position = firstQuery + query
    if let blocks {
      let list = blocks.lists[blocks.lists.count == 1 ? 0 : head][position / blocks.size]
      return list.count { $0 == key / blocks.size }
    }
    if global?.at(member, key) == true { return 1 }
    if let before, position - key > before { return 0 }
    if let after, key - position > after { return 0 }
    if let chunks {
      let start = Double(chunks.starts[chunks.starts.count == 1 ? 0 : member])
      func chunk(_ position: Int) -> Double {
        ((Double(position) - start) / Double(chunks.size)).rounded(.down)
      }
      if chunk(key) != chunk(position) { return 0 }
    }
    return 1
  }
}

/// The error function by a series whose terms are all of one sign: Abramowitz, Stegun, 7.1.6.
func erfBySeries(_ x: Double) -> Double {
  if abs(x) > 6 { return x < 0 ? -1 : 1 }
  var (term, sum) = (x, x)
  for n in 1...150 {
    term *= 2 * x * x / Double(2 * n + 1)
    sum += term
  }
  return 2 / Double.pi.squareRoot() * exp(-x * x) * sum
}

/// The hyperbolic tangent by its definition.
func tanhByDefinition(_ x: Double) -> Double {
  if abs(x) > 20 { return x < 0 ? -1 : 1 }
  return (exp(x) - exp(-x)) / (exp(x) + exp(-x))
}
