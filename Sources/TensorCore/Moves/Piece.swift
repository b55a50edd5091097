/// Where a weight stands in a stored tensor: an affine correspondence between the whole of the
/// weight and a part of the tensor.
///
/// Element `(i₀, i₁, …)` of the weight's grid is at `offset + Σ iₖ·stored(k)` in the tensor and at
/// `Σ iₖ·canonical(k)` in the weight, both counted in elements in C order. Transposing, slicing,
/// stacking and permuting heads all have this form, so a piece is its own inverse: read it from left
/// to right, or from right to left.
package struct Piece: Equatable, Sendable {
  /// An axis of the grid that both sides share.
  package struct Axis: Equatable, Sendable {
    package let extent: Int
    /// Elements from one to the next in the stored tensor.
    package let stored: Int
    /// Elements from one to the next in the weight.
    package let canonical: Int

    package init(extent: Int, stored: Int, canonical: Int) {
      self.extent = extent
      self.stored = stored
      self.canonical = canonical
    }
  }

  /// The position of the weight's first element in the stored tensor.
  package let offset: Int
  /// The grid, outermost axis of the weight first. Axes of one element are left out.
  package let axes: [Axis]

  package init(offset: Int, axes: [Axis]) {
    self.offset = offset
    self.axes = axes.filter { $0.extent != 1 }.sorted { $0.canonical > $1.canonical }
  }
}

extension Piece {
  /// An array whose element `(i₀, i₁, …)` is stored at `offset + Σ iₖ·strides[k]`: a slice, axes in
  /// another order, or what numpy and torch call a strided view. No extent is zero.
  package init(offset: Int = 0, shape: [Int], strides: [Int]) {
    let canonical = rowMajorStrides(shape)
    self.init(
      offset: offset,
      axes: shape.indices.map {
        Axis(extent: shape[$0], stored: strides[$0], canonical: canonical[$0])
      })
  }

  /// An array in Fortran's order, whose first index varies fastest.
  package init(fortranOrder shape: [Int]) {
    self.init(shape: shape, strides: rowMajorStrides(shape.reversed()).reversed())
  }
}

/// The elements from one index to the next along each axis, in C order. Of an array without elements they
/// may have overflowed, and are of no use.
package func rowMajorStrides(_ shape: [Int]) -> [Int] {
  var strides: [Int] = []
  var stride = 1
  for extent in shape.reversed() {
    strides.append(stride)
    stride &*= extent
  }
  return strides.reversed()
}
