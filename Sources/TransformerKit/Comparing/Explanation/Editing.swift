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

/// Query, key and value of each triple with the rows of all three in another order.
func refused(
  _ graph: WeightGraph, _ triples: [[String]], _ order: (Int) -> Int
) throws(CheckpointError) -> WeightGraph? {
  var weights: [String: Tensor] = [:]
  for triple in triples {
    var (all, tensors): (ElementMatrix?, [Tensor]) = (nil, [])
    for path in triple {
      guard let tensor = graph.tensor(at: path),
        tensor.shape == tensors.first?.shape ?? tensor.shape
      else { return nil }
      let matrix = try ElementMatrix(tensor)
      all = all?.stacked(matrix) ?? matrix
      tensors.append(tensor)
    }
    // The rows of B stand where `order` says those of A are; undoing it brings them back.
    guard let all, let rows = tensors.first?.shape.first else { return nil }
    let places = (0..<all.rows).map(order).inverted
    let right = all.reordered { places[$0] }
    for (index, tensor) in tensors.enumerated() {
      weights[triple[index]] = tensor.replacing(right.rows(index * rows..<(index + 1) * rows))
    }
  }
  return graph.replacing(weights)
}

/// A graph whose layer `i` is layer `order[i]`, or `nil` if they are not alike.
func relayered(_ graph: WeightGraph, prefix: String, order: [Int]) -> WeightGraph? {
  var weights: [String: Tensor] = [:]
  for slot in graph.slots where slot.path.hasPrefix(prefix) {
    let rest = slot.path.dropFirst(prefix.count)
    guard let dot = rest.firstIndex(of: "."), let layer = Int(rest[..<dot]),
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
