import Kernels
import Models
import TensorCore

/// Finds out what was done to the weights of A that differ in B.
///
/// Every known mistake is tried on the weight's own bytes, so that an explanation is a proof: undoing
/// the mistake gives A's weight, bit for bit.
struct Explainer {
  private let a: WeightGraph
  private let b: WeightGraph
  /// The paths of A's weights by the digest of their elements.
  private var pathsOfA: [String: [String]] = [:]
  private var digestsOfA: [String: String] = [:]

  /// Digests the weights of A that B's could be confused with.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  init(_ a: WeightGraph, _ b: WeightGraph) throws(CheckpointError) {
    self.a = a
    self.b = b
    for slot in a.slots {
      guard let tensor = a.tensor(at: slot.path) else { continue }
      let digest = try SHA256.digest(of: tensor)
      digestsOfA[slot.path] = digest
      pathsOfA[digest, default: []].append(slot.path)
    }
  }

  /// The cause of a difference, or `nil` if it is none of the known ones.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  func cause(of path: String) throws(CheckpointError) -> Cause? {
    guard let x = a.tensor(at: path), let y = b.tensor(at: path), x.shape == y.shape else {
      return nil
    }
    if x.dtype != y.dtype { return try truncation(x, y) }
    if let other = try confusion(path, y) { return other }
    let (left, right) = (try TransformerKit.rows(of: x), try TransformerKit.rows(of: y))
    if let cause = rearrangement(left, right, dtype: x.dtype, shape: x.shape) { return cause }
    return try change(x, y)
  }

  /// Another weight of A in this one's place.
  private func confusion(_ path: String, _ tensor: Tensor) throws(CheckpointError) -> Cause? {
    let candidates = pathsOfA[try SHA256.digest(of: tensor)] ?? []
    let mine = digestsOfA[path]
    for other in candidates.sorted(by: { isNearer($0, $1, to: path) }) where other != path {
      guard let there = b.tensor(at: other) else { continue }
      return try SHA256.digest(of: there) == mine ? .exchanged(with: other) : .copied(from: other)
    }
    return nil
  }

  /// Weights of the same module are confused more easily than others.
  private func isNearer(_ x: String, _ y: String, to path: String) -> Bool {
    let (first, second) = (common(x, path), common(y, path))
    return first == second ? x < y : first > second
  }

  private func common(_ x: String, _ y: String) -> Int {
    zip(x, y).prefix { $0.0 == $0.1 }.count
  }

  /// The same elements in another order.
  private func rearrangement(
    _ a: [[UInt8]], _ b: [[UInt8]], dtype: DType, shape: [Int]
  ) -> Cause? {
    let width = dtype.bitWidth / 8
    let columnsOfA = transposed(a, width: width)
    if shape.count == 2, shape[0] == shape[1], columnsOfA == b { return .transposed }
    if let offset = shift(of: b, in: a) { return .shifted(axis: 0, offset: offset) }
    if let order = rowOrder(of: b, in: a) { return TransformerKit.cause(ofOrder: order, axis: 0) }
    guard shape.count == 2 else { return nil }
    let columnsOfB = transposed(b, width: width)
    if let order = rowOrder(of: columnsOfB, in: columnsOfA) {
      return TransformerKit.cause(ofOrder: order, axis: 1)
    }
    return nil
  }

  /// The same change to every element: a factor, or something added.
  private func change(_ x: Tensor, _ y: Tensor) throws(CheckpointError) -> Cause? {
    let (a, b): (NDArray<Double>, NDArray<Double>) = (
      try NDArray(reading: x), try NDArray(reading: y)
    )
    guard let index = a.elements.indices.max(by: { abs(a.elements[$0]) < abs(a.elements[$1]) }),
      a.elements[index] != 0
    else { return nil }
    if b.elements.allSatisfy({ $0 == 0 }) { return .zeroed }
    // What a rounded product or sum may be off by.
    let slack = 4 * epsilon(of: y.dtype)
    let factor = b.elements[index] / a.elements[index]
    let isScaled = zip(a.elements, b.elements).allSatisfy {
      abs($1 - factor * $0) <= slack * abs(factor * $0)
    }
    if isScaled, abs(factor - 1) > 2 * slack { return .scaled(roundedToDigits(factor)) }
    let amount = b.elements[index] - a.elements[index]
    let isMoved = zip(a.elements, b.elements).allSatisfy {
      abs($1 - $0 - amount) <= slack * (abs($0) + abs(amount))
    }
    let isVisible = abs(amount) > 4 * slack * abs(a.elements[index])
    return isMoved && isVisible ? .offset(roundedToDigits(amount)) : nil
  }

  /// B's bits are A's, with the last ones cut off.
  private func truncation(_ x: Tensor, _ y: Tensor) throws(CheckpointError) -> Cause? {
    guard x.dtype == .f32, y.dtype == .bf16 else { return nil }
    let (a, b) = (try x.bytes.read(0..<x.byteCount), try y.bytes.read(0..<y.byteCount))
    let isCut = (0..<x.elementCount).allSatisfy { index in
      let upper = a[4 * index + 2..<4 * index + 4]
      return upper.elementsEqual(b[2 * index..<2 * index + 2])
    }
    return isCut ? .truncated(.bf16) : nil
  }
}

private func epsilon(of dtype: DType) -> Double {
  switch dtype {
  case .f16: 0x1p-10
  case .bf16: 0x1p-7
  case .f32: 0x1p-23
  default: 0x1p-52
  }
}

/// A number as a person would have written it: six digits.
private func roundedToDigits(_ value: Double) -> Double {
  Double("\(Float(value))").map { abs($0 - value) <= 1e-6 * abs(value) ? $0 : value } ?? value
}
