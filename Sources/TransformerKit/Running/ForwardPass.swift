public import Kernels
public import Models
public import TensorCore

/// A forward pass, stage by stage: only one stage's weights are in memory at a time, and the system is
/// told to bring those of the next one from the disk while it runs.
public struct ForwardPass<Scalar: ComputeScalar> {
  /// An output of the model.
  public struct Output {
    /// The framework's name of it.
    public let name: String
    /// What it is.
    public let value: StateValue<Scalar>
    /// Whether it is given only when all hidden states are asked for.
    public let isHiddenState: Bool
  }

  /// What a stage has done.
  public struct StageResult {
    /// The stage.
    public let name: String
    /// The outputs that are complete with it.
    public let outputs: [Output]
    /// The states that are outputs.
    public let states: Set<String>
  }

  /// The states after the last stage that ran.
  public private(set) var states: States<Scalar>
  private let graph: WeightGraph
  private var stages: ArraySlice<Stage<Scalar>>
  private let progress: WeightProgress?
  /// How many bytes of weights each stage has, if somebody wants to know how far the pass is.
  private var stageSizes: ArraySlice<Int> = []

  /// Prepares a pass over `inputs`.
  ///
  /// - Parameter progress: hears of the weights of each stage.
  /// - Throws: `CheckpointError` if the model cannot take the inputs.
  public init(
    _ graph: WeightGraph, inputs: ModelInputs, progress: WeightProgress? = nil
  ) throws(CheckpointError) {
    self.graph = graph
    self.progress = progress
    states = States(inputs: try graph.prepare(inputs))
    stages = graph.stages(Scalar.self)[...]
    if let progress {
      stageSizes = graph.weightsByStage.map { graph.byteCount(at: $0.paths) }[...]
      progress.expect(stageSizes.reduce(0, +))
    }
  }

  /// Loads and runs the next stage, or returns `nil` after the last one.
  ///
  /// - Throws: `CheckpointError` when weights cannot be read.
  public mutating func advance() throws(CheckpointError) -> StageResult? {
    guard let stage = stages.popFirst() else { return nil }
    let step = try stage.load(WeightScope(loading: graph))
    if let next = stages.first { graph.announce(next) }
    try step(&states)
    progress?.add(stageSizes.popFirst() ?? 0)
    // What depends on an input that is not given is none.
    let outputs = stage.outputs.filter { states.isSet($0.state) }.map { output in
      Output(
        name: output.name, value: states.value(of: output.state),
        isHiddenState: output.isHiddenState)
    }
    return StageResult(
      name: stage.name, outputs: outputs, states: Set(stage.outputs.map(\.state)))
  }

  /// Runs all stages and returns the outputs, in order. Padding that none of them depends on is not
  /// computed.
  ///
  /// - Precondition: no stage has run yet.
  /// - Parameter hiddenStates: whether hidden states are among them.
  /// - Throws: `CheckpointError` as `advance` does.
  public mutating func run(
    hiddenStates: Bool
  ) throws(CheckpointError) -> [NamedArray<Scalar>] {
    if !hiddenStates { states = States(inputs: graph.withoutPadding(states.inputs)) }
    var outputs: [NamedArray<Scalar>] = []
    while let result = try advance() {
      for output in result.outputs where hiddenStates || !output.isHiddenState {
        outputs.append(
          NamedArray(
            name: output.name, array: try output.value.array(),
            isHiddenState: output.isHiddenState))
      }
    }
    return outputs
  }
}

/// An output of a model.
public struct NamedArray<Element: Sendable>: Sendable {
  /// The framework's name of it.
  public let name: String
  /// The numbers.
  public let array: NDArray<Element>
  /// Whether it is given only when all hidden states are asked for.
  public let isHiddenState: Bool

  package init(name: String, array: NDArray<Element>, isHiddenState: Bool = false) {
    (self.name, self.array, self.isHiddenState) = (name, array, isHiddenState)
  }
}
