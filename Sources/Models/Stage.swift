public import Kernels
public import TensorCore

/// One step of the forward pass: the weights it needs, and a function from states to states.
///
/// An architecture is its stages in order. Whoever runs them decides what is in memory: a stage's
/// weights are loaded when its turn comes and are gone after it.
public struct Stage<Scalar: ComputeScalar> {
  /// What the loaded stage does.
  public typealias Step = (inout States<Scalar>) throws(CheckpointError) -> Void

  /// The stage's name, which is the canonical path of its module.
  public let name: String
  /// The states that are outputs of the model once this stage is done.
  public let outputs: [StageOutput]
  /// Asks for the weights and returns what to do with them.
  public let load: (WeightScope<Scalar>) throws(CheckpointError) -> Step

  init(
    _ name: String, outputs: [StageOutput] = [],
    load: @escaping (WeightScope<Scalar>) throws(CheckpointError) -> Step
  ) {
    self.name = name
    self.outputs = outputs
    self.load = load
  }
}

/// A state that leaves the model under the framework's name.
public struct StageOutput: Sendable, Equatable {
  /// The name the framework gives it: `logits`, `hidden_states.3`.
  public let name: String
  /// The state.
  public let state: String
  /// Whether it is given only when all hidden states are asked for.
  public let isHiddenState: Bool

  /// An output that is always given.
  static func final(_ name: String, from state: String? = nil) -> StageOutput {
    StageOutput(name: name, state: state ?? name, isHiddenState: false)
  }

  /// The hidden state of that number.
  static func hidden(_ index: Int, from state: String) -> StageOutput {
    StageOutput(name: "hidden_states.\(index)", state: state, isHiddenState: true)
  }
}

/// The named arrays that flow from stage to stage, and the inputs of the model.
public struct States<Scalar: ComputeScalar>: Sendable {
  /// The inputs, checked by the architecture.
  public let inputs: ModelInputs
  private var arrays: [String: NDArray<Scalar>] = [:]

  /// The states before the first stage.
  public init(inputs: ModelInputs) {
    self.inputs = inputs
  }

  /// The names of the states there are, sorted.
  public var names: [String] { arrays.keys.sorted() }

  /// The state of that name.
  ///
  /// - Precondition: an earlier stage has set it.
  public subscript(name: String) -> NDArray<Scalar> {
    get {
      guard let array = arrays[name] else { preconditionFailure("no stage has set \(name)") }
      return array
    }
    set { arrays[name] = newValue }
  }
}

/// The inputs of a model by the framework's names: `input_ids`, `attention_mask`, …
public struct ModelInputs: Sendable, Equatable {
  /// The arrays.
  public var arrays: [String: NDArray<Int>]
  /// The choices that were merged with the batch, 1 if there are none.
  public var choices = 1

  /// Wraps arrays.
  public init(_ arrays: [String: NDArray<Int>]) {
    self.arrays = arrays
  }

  /// The input of that name, if given.
  public subscript(name: String) -> NDArray<Int>? {
    get { arrays[name] }
    set { arrays[name] = newValue }
  }

  /// The input of that name, which `Architecture.prepare` has filled in.
  func required(_ name: String) -> NDArray<Int> {
    guard let array = arrays[name] else { preconditionFailure("\(name) was not prepared") }
    return array
  }

  /// A padding mask: anything but zero allows. `nil` if it is not given, which allows all.
  func mask(_ name: String) -> NDArray<Bool>? {
    arrays[name].map { NDArray(shape: $0.shape, elements: $0.elements.map { $0 != 0 }) }
  }
}
