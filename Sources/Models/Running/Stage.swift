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
  /// Whether it runs once for a text that grows, because nothing in it depends on what is added: an
  /// encoder's stages.
  public let runsOnce: Bool
  /// Asks for the weights and returns what to do with them.
  public let load: (WeightScope<Scalar>) throws(CheckpointError) -> Step

  init(
    _ name: String, outputs: [StageOutput] = [], runsOnce: Bool = false,
    load: @escaping (WeightScope<Scalar>) throws(CheckpointError) -> Step
  ) {
    self.name = name
    self.outputs = outputs
    self.runsOnce = runsOnce
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

  /// The hidden state of that number, of a stack whose hidden states have a name of their own.
  static func hidden(
    _ index: Int, from state: String, named name: String = "hidden_states"
  ) -> StageOutput {
    StageOutput(name: "\(name).\(index)", state: state, isHiddenState: true)
  }
}

/// The named arrays that flow from stage to stage, and the inputs of the model.
public struct States<Scalar: ComputeScalar>: Sendable {
  /// The inputs, checked by the architecture.
  public private(set) var inputs: ModelInputs
  private var values: [String: StateValue<Scalar>] = [:]
  /// The keys and values of earlier inputs, if they are kept.
  var cache: KeyValueCache<Scalar>?

  /// The states before the first stage.
  ///
  /// - Parameter keepsKeysAndValues: whether more inputs will follow. See `advance`.
  public init(inputs: ModelInputs, keepsKeysAndValues: Bool = false) {
    self.inputs = inputs
    cache = keepsKeysAndValues ? KeyValueCache() : nil
  }

  /// Goes on to the inputs that follow `count` positions which all stages have seen.
  public mutating func advance(by count: Int, to inputs: ModelInputs) {
    precondition(cache != nil, "keys and values were not kept")
    cache?.length += count
    self.inputs = inputs
  }

  /// Forgets a state that no later stage reads.
  mutating func remove(_ name: String) {
    values[name] = nil
  }

  /// The names of the states there are, sorted.
  public var names: [String] { values.keys.sorted() }

  /// The state of that name, which stages go on with.
  ///
  /// - Precondition: an earlier stage has set it, and not to scores over a vocabulary.
  public subscript(name: String) -> NDArray<Scalar> {
    get {
      guard case .array(let array) = value(of: name) else {
        preconditionFailure("\(name) is not computed yet")
      }
      return array
    }
    set { values[name] = .array(newValue) }
  }

  /// The state of that name, scores over a vocabulary included.
  ///
  /// - Precondition: an earlier stage has set it.
  public func value(of name: String) -> StateValue<Scalar> {
    guard let value = values[name] else { preconditionFailure("no stage has set \(name)") }
    return value
  }

  /// Sets a state to what may be computed later.
  mutating func set(_ name: String, to value: StateValue<Scalar>) {
    values[name] = value
  }
}

/// The inputs of a model by the framework's names: `input_ids`, `attention_mask`, …
public struct ModelInputs: Sendable, Equatable {
  /// The arrays.
  public var arrays: [String: NDArray<Int>]
  /// The choices that were merged with the batch, 1 if there are none.
  public var choices = 1
  /// Whether there was an axis of choices.
  public var hasChoices = false

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
