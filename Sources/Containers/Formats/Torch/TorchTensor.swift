import TensorCore

/// A tensor as torch describes it: a grid of places in a storage.
struct TorchTensor {
  /// Where its elements are.
  let view: TorchStorages.View
  /// What they are.
  let element: TorchElement
  /// Elements before the first one.
  let offset: Int
  /// The extents, outermost first.
  let shape: [Int]
  /// Elements from one index to the next along each axis.
  let strides: [Int]

  /// Describes a tensor, and checks that all of it lies in its storage.
  init(
    view: TorchStorages.View, element: TorchElement, offset: Int, shape: [Int], strides: [Int]
  ) throws(CheckpointError) {
    guard shape.count <= Limits.rank else {
      throw CheckpointError(
        .limitExceeded("the number of dimensions", limit: Limits.rank, found: shape.count))
    }
    guard shape.count == strides.count else {
      throw CheckpointError(
        .malformed("it has \(shape.count) dimensions and \(strides.count) strides"))
    }
    guard offset >= 0, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }) else {
      throw CheckpointError(.malformed("its offset, shape or strides are negative"))
    }
    self.view = view
    self.element = element
    self.offset = offset
    self.shape = shape
    self.strides = strides
    if try element.checkedCount(of: shape) > 0 { try checkReach() }
  }

  /// Checks that the last element, too, is in the storage.
  private func checkReach() throws(CheckpointError) {
    var last = offset
    for (extent, stride) in zip(shape, strides) {
      guard let way = (extent - 1).multipliedIfFits(by: stride), let next = last.addedIfFits(way)
      else { throw CheckpointError(.overflow("the place of its last element")) }
      last = next
    }
    let available = view.bytes.count / element.width
    guard last < available else {
      throw CheckpointError(
        .malformed(
          "it reaches to element \(last) of its storage, which has \(available) elements"))
    }
  }

  /// The shape that we give it.
  var ownShape: [Int] { element.ownShape(shape) }

  /// The tensor.
  ///
  /// - Parameters:
  ///   - name: its name.
  ///   - storage: the bytes of its storage.
  ///   - isBigEndian: whether these are numbers with the most significant byte first.
  func tensor(
    _ name: TensorName, in storage: any TensorBytes, isBigEndian: Bool
  ) -> Tensor {
    let count = shape.reduce(1, &*)
    guard count > 0 else {
      return Tensor(name: name, dtype: element.dtype, shape: ownShape, bytes: ByteArray([]))
    }
    let move = Move(reading: Piece(offset: offset, shape: shape, strides: strides))
    // Where elements lie does not depend on what they are.
    let type: DType = element.packing > 1 ? .u8 : element.dtype
    let isWhole =
      move.isContiguous && offset == 0 && count * element.width == storage.count
    var bytes = storage
    if !isWhole {
      if let member = bytes as? StoredMember { bytes = VerifiedMember(member: member) }
      if view.bytes != 0..<storage.count {
        bytes = ByteRange(of: bytes, start: view.bytes.lowerBound, count: view.bytes.count)
      }
    }
    let unit = element.dtype.byteOrderUnit
    if isBigEndian, unit > 1 { bytes = SwappedBytes(bytes: bytes, unit: unit) }
    return Tensor(
      name: name, dtype: element.dtype, shape: ownShape,
      bytes: bytes.moved(move, type, count: count))
  }
}
