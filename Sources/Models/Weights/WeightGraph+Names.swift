public import TensorCore

extension WeightGraph {
  /// The tensors of the file that the weight of a slot is in.
  public func storedNames(at path: String) -> [TensorName] {
    placement(at: path).map { [$0.stored.name] } ?? []
  }

  /// The tensor of the file that is the weight of a slot, in the same layout and with nothing else in it. A
  /// weight that is not stored, because it is tied to one that is, has none.
  public func storedName(at path: String) -> TensorName? {
    guard let placement = placement(at: path), placement.layout.isEmpty,
      placement.stored.shape == tensor(at: path)?.shape,
      ties[path].flatMap({ self.placement(at: $0) })?.stored.name != placement.stored.name
    else { return nil }
    return placement.stored.name
  }
}
