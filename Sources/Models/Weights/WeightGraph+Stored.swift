public import TensorCore

extension WeightGraph {
  /// Whether tensors of the file hold matrices of linear layers `[in, out]`; those that hold none, or whose shapes do
  /// not show it, are not there.
  public var isStoredInputsFirst: [TensorName: Bool] {
    var found: [TensorName: Bool] = [:]
    for slot in slots where slot.role == .linear && slot.shape.allSatisfy({ $0 > 1 }) {
      guard let placement = placements[slot.path], let inputs = placement.piece.axes.last,
        found[placement.stored.name] == nil
      else { continue }
      found[placement.stored.name] = inputs.stored != 1
    }
    return found
  }

  /// The weights that are tied to what is in a tensor of the file, and stored with it.
  public var pathsTied: [TensorName: [String]] {
    var found: [TensorName: [String]] = [:]
    for slot in slots {
      guard let stored = ties[slot.path].flatMap({ placements[$0] })?.stored else { continue }
      found[stored.name, default: []].append(slot.path)
    }
    return found
  }

  /// The forms in which a dialect of that name stores such a model, the usual one first.
  public func forms(ofDialect name: String) -> [String] {
    families.dialects(of: type(of: architecture).name).filter { $0.name == name }.map(\.fullName)
  }
}
