import Kernels
import Models
import TensorCore

extension CheckReport {
  /// NaN, infinities, and weights that are constant where training never leaves them so.
  mutating func checkValues(
    _ tensors: [Tensor], _ statistics: [TensorStatistics], _ graph: WeightGraph?
  ) throws(CheckpointError) {
    let buffers = Set(graph?.dropped.map(\.name) ?? [])
    let roles = graph.map(roles) ?? [:]
    for (tensor, found) in zip(tensors, statistics) where !buffers.contains(tensor.name) {
      if found.nan + found.infinite > 0 {
        add(.values, tensor.name, try special(tensor, found))
      }
      if found.isConstant, mayNotBeConstant(tensor, roles[tensor.name]) {
        let value = found.mean.map { "\($0.number ?? 0)" } ?? ""
        add(.values, tensor.name, "all \(found.count) elements are \(value)")
      }
    }
  }

  /// What each stored tensor is for; a fused one has the role of its first weight.
  private func roles(_ graph: WeightGraph) -> [TensorName: WeightRole] {
    var roles: [TensorName: WeightRole] = [:]
    for slot in graph.slots {
      guard let name = graph.tensor(at: slot.path)?.name, roles[name] == nil else { continue }
      roles[name] = slot.role
    }
    return roles
  }

  /// Biases and gains begin constant, and may stay so.
  private func mayNotBeConstant(_ tensor: Tensor, _ role: WeightRole?) -> Bool {
    switch role {
    case .linear, .embedding: true
    case .some: false
    case nil: tensor.dtype.isFloatingPoint && tensor.hasSeveralAxes
    }
  }

  /// `3 NaN, 1 infinite, the first at [0, 4]`.
  private func special(
    _ tensor: Tensor, _ found: TensorStatistics
  ) throws(CheckpointError) -> String {
    var parts: [String] = []
    if found.nan > 0 { parts.append("\(found.nan) NaN") }
    if found.infinite > 0 { parts.append("\(found.infinite) infinite") }
    parts.append("of \(found.count)")
    var text =
      parts.count == 3 ? "\(parts[0]) and \(parts[1]) \(parts[2])" : parts.joined(separator: " ")
    if let first = try tensor.firstNotFinite() {
      text += ", the first at \(describe(shape: tensor.index(of: first)))"
    }
    return text
  }
}

extension TensorStatistics {
  /// Whether there is more than one element, and all are the same.
  var isConstant: Bool { count > 1 && finiteCount == count && minimum == maximum && minimum != nil }
}

extension Tensor {
  /// Whether it is more than a vector.
  var hasSeveralAxes: Bool { shape.count(where: { $0 > 1 }) > 1 }

  /// The number of the first element that is NaN or infinite.
  fileprivate func firstNotFinite() throws(CheckpointError) -> Int? {
    guard dtype.byteWidth != nil, dtype.isFloatingPoint else { return nil }
    for start in stride(from: 0, to: elementCount, by: 1 << 16) {
      let range = start..<min(start + 1 << 16, elementCount)
      let block = try bytes(of: range)
      let values = dtype.doubles(unsafe block.span.bytes)
      if let place = values.firstIndex(where: { !$0.isFinite }) { return start + place }
    }
    return nil
  }

  /// The index of element `number` in C order.
  func index(of number: Int) -> [Int] {
    var (rest, index) = (number, [Int]())
    for extent in shape.reversed() {
      index.insert(rest % extent, at: 0)
      rest /= extent
    }
    return index
  }
}
