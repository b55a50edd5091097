import Kernels

/// What a stage works with for given inputs, beside its weights and what its layers make of each position.
public struct StageWork: Sendable, Equatable {
  /// For how many positions it computes something, of all texts.
  public var positions: Int
  /// How many keys a query may see.
  public var length: Int
  /// How many numbers it leaves for later stages, beside the stream.
  public var leaves: Int
  /// How many numbers its outputs have, where they are wider than the stream and what its weights read.
  public var gives = 0

  /// Describes a stage's work.
  public init(positions: Int, length: Int, leaves: Int = 0) {
    self.positions = positions
    self.length = length
    self.leaves = leaves
  }

  /// The work of a stage through which the positions of one input go.
  ///
  /// - Parameters:
  ///   - name: the input that has a number for each position: `input_ids`.
  ///   - sources: the inputs of other sequences for whose positions it computes keys and values.
  package static func positions(
    of name: String, seeing sources: [String] = [], in inputs: ModelInputs
  ) -> StageWork {
    guard let own = inputs[name] else { return .largest(of: inputs) }
    let all = [own] + sources.compactMap { inputs[$0] }
    return StageWork(
      positions: all.map(\.elements.count).max() ?? 0, length: all.map(\.width).max() ?? 0)
  }

  /// The work of a stage that says nothing of its own: as many positions as the largest input has ids, or
  /// numbers where there are no ids.
  public static func largest(of inputs: ModelInputs) -> StageWork {
    guard inputs.arrays.isEmpty else {
      return StageWork(
        positions: inputs.arrays.values.map(\.elements.count).max() ?? 0,
        length: inputs.arrays.values.map(\.width).max() ?? 0)
    }
    let count = inputs.numbers.values.map(\.elements.count).max() ?? 0
    return StageWork(positions: count, length: count)
  }
}
