import Models
import TensorCore

/// A graph with a function applied to some of its weights.
func edited(
  _ graph: WeightGraph, _ paths: [String],
  _ change: (Tensor) throws(CheckpointError) -> Tensor
) throws(CheckpointError) -> WeightGraph {
  var weights: [String: Tensor] = [:]
  for path in paths {
    guard let tensor = graph.tensor(at: path) else { continue }
    weights[path] = try change(tensor)
  }
  return graph.replacing(weights)
}

/// A graph with pairs of weights exchanged, or `nil` if they do not fit.
func exchanged(_ graph: WeightGraph, _ pairs: [(String, String)]) -> WeightGraph? {
  var weights: [String: Tensor] = [:]
  for (a, b) in pairs {
    guard let x = graph.tensor(at: a), let y = graph.tensor(at: b), x.shape == y.shape else {
      return nil
    }
    weights[a] = y
    weights[b] = x
  }
  return graph.replacing(weights)
}

/// Query, key and value of each triple with the rows of all three in another order, or `nil` if they are
/// not of one type and as long as the order.
///
/// - Parameter order: for each row of B, the row of A that it is.
func refused(
  _ graph: WeightGraph, _ triples: [(paths: [String], order: [Int])]
) throws(CheckpointError) -> WeightGraph? {
  var weights: [String: Tensor] = [:]
  for (paths, order) in triples {
    let tensors = paths.compactMap { graph.tensor(at: $0) }
    guard tensors.count == paths.count, Set(tensors.map(\.dtype)).count == 1,
      let all = try stacked(tensors), all.rows == order.count
    else { return nil }
    // The rows of B stand where `order` says those of A are; undoing it brings them back.
    let places = order.inverted
    let right = all.reordered { places[$0] }
    var start = 0
    for (path, tensor) in zip(paths, tensors) {
      let rows = tensor.shape.first ?? 1
      weights[path] = tensor.replacing(right.rows(start..<start + rows))
      start += rows
    }
  }
  return graph.replacing(weights)
}

/// The elements of several tensors under one another, or `nil` if they do not fit.
func stacked(_ tensors: [Tensor]) throws(CheckpointError) -> ElementMatrix? {
  var all: ElementMatrix?
  for tensor in tensors {
    let matrix = try ElementMatrix(tensor)
    guard let above = all else {
      all = matrix
      continue
    }
    guard let both = above.stacked(matrix) else { return nil }
    all = both
  }
  return all
}

/// A graph whose layer `i` is layer `order[i]`, or `nil` if they are not alike.
func relayered(_ graph: WeightGraph, prefix: String, order: [Int]) -> WeightGraph? {
  var weights: [String: Tensor] = [:]
  for slot in graph.slots where slot.path.hasPrefix(prefix) {
    let rest = slot.path.dropFirst(prefix.count)
    guard let dot = rest.firstIndex(of: "."), let layer = Int(rest[..<dot]),
      order.indices.contains(layer),
      let tensor = graph.tensor(at: "\(prefix)\(order[layer])\(rest[dot...])"),
      tensor.shape == slot.shape
    else { return nil }
    weights[slot.path] = tensor
  }
  return graph.replacing(weights)
}

extension [Int] {
  /// The permutation that undoes this one.
  var inverted: [Int] {
    var result = self
    for (index, value) in enumerated() { result[value] = index }
    return result
  }
}
