package import Kernels
package import TensorCore

/// A head that tells what a sound is: of the mean of all positions, each through a linear layer.
public struct SoundClassification: Sendable, Equatable {
  /// The width of what each position becomes, of which the mean is classified.
  public var projection: Int
  /// Whether the states before and behind all blocks are summed up, with learned shares, in place of the last ones.
  public var sumsStates: Bool

  /// Describes a head.
  public init(projection: Int = 256, sumsStates: Bool = false) {
    (self.projection, self.sumsStates) = (projection, sumsStates)
  }

  /// The state that has the sum.
  private static let sum = "sum_of_states"

  /// What adds the state of a number to the sum of so many.
  package func summing<Scalar: ComputeScalar>(
    states count: Int, _ scope: WeightScope<Scalar>
  ) throws(CheckpointError) -> (Int, NDArray<Scalar>, inout States<Scalar>) -> Void {
    let scores = try scope.module("layer_shares", .linear).weight("weight", [count], .bias)
    return { index, state, states in
      let share = softmax(scores.reshaped([1, count])).elements[index]
      let part = scaled(state, by: Double(share))
      states[Self.sum] = index == 0 ? part : add(states[Self.sum], part)
    }
  }

  /// `logits`
  ///
  /// - Parameters:
  ///   - state: what is classified where states are not summed up.
  ///   - mask: the state that says which positions count, `[batch, positions]`; all do where there is none.
  package func stage<Scalar: ComputeScalar>(
    of state: String, mask: String? = nil, width: Int, labels: Int,
    work: @escaping @Sendable (ModelInputs) -> StageWork
  ) -> Stage<Scalar> {
    let state = sumsStates ? Self.sum : state
    return Stage("classifier", outputs: [.final("logits")], work: work) {
      scope throws(CheckpointError) in
      let projector = try Linear(
        scope.module("projector", .linear), in: width, out: projection)
      let classifier = try Linear(
        scope.module("classifier", .linear), in: projection, out: labels)
      return { states throws(CheckpointError) in
        let x = projector(states[state])
        let counted = mask.flatMap { states.stateIfSet($0) }
        states["logits"] = classifier(counted.map { mean(of: x, at: $0) } ?? meanOfPositions(x))
      }
    }
  }

  /// The mean of the positions that count.
  private func mean<Scalar: ComputeScalar>(
    of x: NDArray<Scalar>, at mask: NDArray<Scalar>
  ) -> NDArray<Scalar> {
    let (batch, count, width) = (x.shape[0], x.shape[1], x.shape[2])
    var sums = [Scalar](repeating: 0, count: batch * width)
    for row in 0..<batch {
      let counted = mask.row(row).reduce(0, +)
      for position in 0..<count where mask.elements[row * count + position] != 0 {
        let start = (row * count + position) * width
        for column in 0..<width {
          sums[row * width + column] += x.elements[start + column] / counted
        }
      }
    }
    return NDArray(shape: [batch, width], elements: sums)
  }
}
