package import TensorCore

/// Hands out given tensors by canonical path.
private final class GivenWeights: WeightVisitor {
  private let tensors: [String: Tensor]

  init(_ tensors: [String: Tensor]) {
    self.tensors = tensors
  }

  func enter(_ path: String, _ kind: ModuleKind) {}

  func visit(_ slot: WeightSlot) -> Tensor? { tensors[slot.path] }

  func owner(of slot: WeightSlot) -> String { slot.path }
}

extension WeightScope {
  /// The root scope that answers with given tensors, by canonical path: for a layer on its own, outside of any
  /// model.
  package init(giving tensors: [String: Tensor]) {
    self.init(visitor: GivenWeights(tensors))
  }
}

/// The weights that `load` asks for, with their shapes.
package func declaredSlots<Scalar>(
  _ load: (WeightScope<Scalar>) throws(CheckpointError) -> Void
) -> [WeightSlot] {
  let declaration = Declaration()
  // Declaring reads nothing, so nothing can fail.
  _ = try? load(WeightScope<Scalar>(visitor: declaration))
  return declaration.slots
}
