/// A layout with numbers in it: the shape of a stored tensor, and where each weight stands.
package struct Arrangement: Sendable {
  /// Why a layout does not fit the shapes of the weights: the dialect cannot hold this model.
  package struct Misfit: Error {
    /// The reason, without a final stop.
    package let reason: String

    package init(reason: String) {
      self.reason = reason
    }
  }

  /// A weight in it.
  struct Part: Sendable {
    /// The weight's canonical path.
    let path: String
    /// Where it begins along each axis.
    fileprivate var start: [Int]
    fileprivate var steps: [Step]
  }

  /// An axis of a weight's grid, lying along an axis of the tensor.
  fileprivate struct Step: Sendable {
    var axis: Int
    /// Positions from one element to the next along that axis.
    var distance: Int
    let extent: Int
    /// Elements from one to the next in the weight.
    let canonical: Int
  }

  /// The shape of the stored tensor.
  package private(set) var shape: [Int]
  /// The weights.
  private(set) var parts: [Part]

  /// The stored position of every weight.
  package var pieces: [(path: String, piece: Piece)] {
    let strides = rowMajorStrides(shape)
    return parts.map { part in
      let offset = zip(part.start, strides).reduce(0) { $0 + $1.0 * $1.1 }
      let axes = part.steps.map {
        Piece.Axis(
          extent: $0.extent, stored: $0.distance * strides[$0.axis], canonical: $0.canonical)
      }
      return (part.path, Piece(offset: offset, axes: axes))
    }
  }

  // MARK: Operations

  /// A weight as it is.
  package init(weight path: String, shape: [Int]) {
    self.shape = shape
    let strides = rowMajorStrides(shape)
    let steps = shape.indices.map {
      Step(axis: $0, distance: 1, extent: shape[$0], canonical: strides[$0])
    }
    parts = [Part(path: path, start: shape.map { _ in 0 }, steps: steps)]
  }

  /// With the last two axes exchanged. A vector stays.
  package func transposed() -> Arrangement {
    guard shape.count >= 2 else { return self }
    var order = Array(shape.indices)
    order.swapAt(shape.count - 2, shape.count - 1)
    return inOrder(order)
  }

  /// Axis `k` of the result is axis `order[k]` of this.
  package func permuted(_ order: [Int]) throws(Misfit) -> Arrangement {
    guard order.sorted() == Array(shape.indices) else {
      throw Misfit(
        reason: "\(describe(shape: order)) are not the axes of \(describe(shape: shape))")
    }
    return inOrder(order)
  }

  private func inOrder(_ order: [Int]) -> Arrangement {
    var result = self
    result.shape = order.map { shape[$0] }
    for index in parts.indices {
      result.parts[index].start = order.map { parts[index].start[$0] }
      for step in parts[index].steps.indices {
        let axis = parts[index].steps[step].axis
        result.parts[index].steps[step].axis = order.firstIndex(of: axis) ?? axis
      }
    }
    return result
  }

  /// With a new axis of one element.
  package func unit(axis: Int) throws(Misfit) -> Arrangement {
    guard (0...shape.count).contains(axis) else {
      throw Misfit(reason: "\(describe(shape: shape)) has no place for an axis \(axis)")
    }
    var result = self
    result.shape.insert(1, at: axis)
    for index in parts.indices {
      result.parts[index].start.insert(0, at: axis)
      for step in parts[index].steps.indices where parts[index].steps[step].axis >= axis {
        result.parts[index].steps[step].axis += 1
      }
    }
    return result
  }

  /// One behind the other along an axis.
  package static func joined(
    _ arrangements: [Arrangement], axis: Int
  ) throws(Misfit) -> Arrangement {
    guard var result = arrangements.first else {
      throw Misfit(reason: "there is nothing to join")
    }
    for next in arrangements.dropFirst() {
      var (a, b) = (result.shape, next.shape)
      guard a.count == b.count, a.indices.contains(axis) else {
        throw Misfit(reason: "parts of different rank are joined")
      }
      (a[axis], b[axis]) = (0, 0)
      guard a == b else { throw Misfit(reason: "parts of different shapes are joined") }
      for part in next.parts {
        var part = part
        part.start[axis] += result.shape[axis]
        result.parts.append(part)
      }
      result.shape[axis] += next.shape[axis]
    }
    return result
  }

  /// With an axis divided in two, the inner one `size` long.
  package func divided(axis: Int, size: Int) throws(Misfit) -> Arrangement {
    guard size > 0, shape.indices.contains(axis), shape[axis].isMultiple(of: size) else {
      throw Misfit(reason: "an axis of \(describe(shape: shape)) is not divided by \(size)")
    }
    var result = self
    result.shape[axis] /= size
    result.shape.insert(size, at: axis + 1)
    for index in parts.indices {
      result.parts[index] = try parts[index].divided(axis: axis, size: size)
    }
    return result
  }

  /// With an axis and the next one taken together.
  package func merged(axis: Int) throws(Misfit) -> Arrangement {
    guard shape.indices.contains(axis), shape.indices.contains(axis + 1) else {
      throw Misfit(reason: "\(describe(shape: shape)) has no axes \(axis) and \(axis + 1)")
    }
    var result = self
    let inner = result.shape.remove(at: axis + 1)
    result.shape[axis] *= inner
    for index in parts.indices {
      let start = result.parts[index].start.remove(at: axis + 1)
      result.parts[index].start[axis] = result.parts[index].start[axis] * inner + start
      for step in parts[index].steps.indices {
        if parts[index].steps[step].axis == axis {
          result.parts[index].steps[step].distance *= inner
        } else if parts[index].steps[step].axis > axis {
          result.parts[index].steps[step].axis -= 1
        }
      }
    }
    return result
  }
}

extension Arrangement.Part {
  fileprivate func divided(axis: Int, size: Int) throws(Arrangement.Misfit) -> Arrangement.Part {
    var part = self
    part.start[axis] = start[axis] / size
    part.start.insert(start[axis] % size, at: axis + 1)
    part.steps = []
    var inside = start[axis] % size  // how far the part reaches within the inner axis
    for step in steps {
      var step = step
      if step.axis > axis { step.axis += 1 }
      guard step.axis == axis else {
        part.steps.append(step)
        continue
      }
      if step.distance.isMultiple(of: size) {
        step.distance /= size
        part.steps.append(step)
      } else if step.distance * step.extent <= size {
        step.axis = axis + 1
        inside += step.distance * (step.extent - 1)
        part.steps.append(step)
      } else {
        guard size.isMultiple(of: step.distance) else {
          throw Arrangement.Misfit(reason: "a part does not end where an axis is divided")
        }
        let count = size / step.distance
        guard step.extent.isMultiple(of: count) else {
          throw Arrangement.Misfit(reason: "a part does not end where an axis is divided")
        }
        inside += step.distance * (count - 1)
        part.steps.append(
          Arrangement.Step(
            axis: axis, distance: 1, extent: step.extent / count,
            canonical: step.canonical * count))
        part.steps.append(
          Arrangement.Step(
            axis: axis + 1, distance: step.distance, extent: count, canonical: step.canonical))
      }
    }
    guard inside < size else {
      throw Arrangement.Misfit(reason: "a part reaches over the end of an inner axis")
    }
    return part
  }
}
