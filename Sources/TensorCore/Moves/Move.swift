/// How elements move from one tensor to another.
package struct Move: Equatable, Sendable {
  /// An axis of the grid that both tensors share.
  struct Axis: Equatable, Sendable {
    var extent: Int
    let source: Int
    let target: Int
  }

  /// Where the first element is in the source.
  package let sourceOffset: Int
  /// And in the target.
  let targetOffset: Int
  /// The grid, outermost axis of the target first.
  let axes: [Axis]

  private init(sourceOffset: Int, targetOffset: Int, axes: [Axis]) {
    self.sourceOffset = sourceOffset
    self.targetOffset = targetOffset
    self.axes = coalesced(axes.sorted { $0.target > $1.target })
  }

  /// From a stored tensor to the weight.
  package init(reading piece: Piece) {
    self.init(
      sourceOffset: piece.offset, targetOffset: 0,
      axes: piece.axes.map { Axis(extent: $0.extent, source: $0.stored, target: $0.canonical) })
  }

  /// From one stored tensor to another that holds the same weight, or `nil` if the two divide the
  /// weight in ways that have no common refinement.
  package init?(from source: Piece, to target: Piece) {
    var (a, b) = (source.axes, target.axes)
    var axes: [Axis] = []
    while let x = a.popLast() {
      guard let y = b.popLast() else { return nil }
      let extent = min(x.extent, y.extent)
      guard x.extent.isMultiple(of: extent), y.extent.isMultiple(of: extent) else { return nil }
      axes.append(Axis(extent: extent, source: x.stored, target: y.stored))
      if x.extent > extent { a.append(x.outer(extent)) }
      if y.extent > extent { b.append(y.outer(extent)) }
    }
    guard b.isEmpty else { return nil }
    self.init(sourceOffset: source.offset, targetOffset: target.offset, axes: axes)
  }

  /// Whether it is a plain copy of neighbouring elements.
  package var isContiguous: Bool {
    axes.isEmpty || axes.count == 1 && axes[0].source == 1 && axes[0].target == 1
  }
}

extension Piece.Axis {
  /// What is left of an axis when `count` neighbours are taken together.
  fileprivate func outer(_ count: Int) -> Piece.Axis {
    Piece.Axis(extent: extent / count, stored: stored * count, canonical: canonical * count)
  }
}

/// Joins axes that continue each other on both sides.
private func coalesced(_ axes: [Move.Axis]) -> [Move.Axis] {
  var result: [Move.Axis] = []
  for axis in axes {
    if let last = result.last, last.source == axis.extent * axis.source,
      last.target == axis.extent * axis.target
    {
      result[result.count - 1] = Move.Axis(
        extent: last.extent * axis.extent, source: axis.source, target: axis.target)
    } else {
      result.append(axis)
    }
  }
  return result
}
