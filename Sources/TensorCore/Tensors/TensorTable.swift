/// The tensors of a checkpoint, in order, found by name.
public struct TensorTable: Sendable {
  /// The tensors in the order of their container.
  public private(set) var tensors: [Tensor] = []
  private var positions: [TensorName: Int] = [:]

  /// An empty table.
  public init() {}

  /// A table of `tensors`.
  ///
  /// - Throws: `CheckpointError` of the problem `duplicate` for the first name that occurs twice.
  public init(_ tensors: some Sequence<Tensor>) throws(CheckpointError) {
    self.tensors = Array(tensors)
    positions.reserveCapacity(self.tensors.count)
    for (number, tensor) in self.tensors.enumerated() {
      guard positions.updateValue(number, forKey: tensor.name) == nil else {
        throw CheckpointError(.duplicate, tensor: tensor.name)
      }
    }
  }

  /// Adds a tensor at the end.
  ///
  /// - Throws: `CheckpointError` of the problem `duplicate` if the name is taken.
  public mutating func append(_ tensor: Tensor) throws(CheckpointError) {
    guard positions.updateValue(tensors.count, forKey: tensor.name) == nil else {
      throw CheckpointError(.duplicate, tensor: tensor.name)
    }
    tensors.append(tensor)
  }

  /// The tensor of that name.
  public subscript(name: TensorName) -> Tensor? {
    positions[name].map { tensors[$0] }
  }

  /// How many tensors there are.
  public var count: Int { tensors.count }

  /// The bytes of all tensors together.
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }
}
