import TensorCore

extension ConstantBuffer {
  /// What the buffer was checked to be.
  var reason: String {
    switch content {
    case .positions: "holds 0, 1, 2, … and is computed"
    case .causalTriangle: "is the causal mask and is computed"
    case .zeros: "holds zeros, which are taken anyway where none are given"
    case .number(let value): "is \(text(value)), a constant of the mask"
    }
  }

  /// What is wrong with a stored buffer, or `nil`.
  ///
  /// - Throws: `CheckpointError` when its bytes cannot be read.
  func fault(of tensor: Tensor, slots: [WeightSlot]) throws(CheckpointError) -> String? {
    switch content {
    case .positions(let path):
      guard let count = slots.first(where: { $0.path == path })?.shape[0] else { return nil }
      return try fault(of: tensor, shapes: [[count], [1, count]]) { Double($0) }
    case .zeros(let path):
      guard let count = slots.first(where: { $0.path == path })?.shape[0] else { return nil }
      return try fault(of: tensor, shapes: [[1, count], [count]]) { _ in 0 }
    case .causalTriangle(let path):
      guard let count = slots.first(where: { $0.path == path })?.shape[0] else { return nil }
      return try fault(of: tensor, shapes: [[1, 1, count, count], [count, count]]) {
        $0 % count <= $0 / count ? 1 : 0
      }
    case .number(let value):
      return try fault(of: tensor, shapes: [[], [1]]) { _ in value }
    }
  }

  private func fault(
    of tensor: Tensor, shapes: [[Int]], expected: (Int) -> Double
  ) throws(CheckpointError) -> String? {
    guard shapes.contains(tensor.shape) else {
      return "is \(describe(shape: tensor.shape)), must be \(describe(shape: shapes[0]))"
    }
    guard tensor.dtype.byteWidth != nil else { return "is \(tensor.dtype)" }
    let elementsPerChunk = 1 << 17
    for start in stride(from: 0, to: tensor.elementCount, by: elementsPerChunk) {
      let end = min(start + elementsPerChunk, tensor.elementCount)
      let bytes = try tensor.bytes(of: start..<end)
      for index in start..<end
      where tensor.dtype.element(at: index - start, of: bytes).number != expected(index) {
        return "element \(index) is not \(text(expected(index)))"
      }
    }
    return nil
  }
}

/// A whole number without its fraction.
private func text(_ value: Double) -> String {
  Int(exactly: value).map { "\($0)" } ?? "\(value)"
}
