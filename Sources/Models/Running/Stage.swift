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
  /// What it works with for given inputs.
  public let work: @Sendable (ModelInputs) -> StageWork
  /// Asks for the weights and returns what to do with them.
  public let load: (WeightScope<Scalar>) throws(CheckpointError) -> Step

  /// A stage.
  package init(
    _ name: String, outputs: [StageOutput] = [], runsOnce: Bool = false,
    work: @escaping @Sendable (ModelInputs) -> StageWork = { .largest(of: $0) },
    load: @escaping (WeightScope<Scalar>) throws(CheckpointError) -> Step
  ) {
    self.name = name
    self.outputs = outputs
    self.runsOnce = runsOnce
    self.work = work
    self.load = load
  }
}

extension Stage {
  /// The stage as a part of a larger model: its weights, ties included, and its states stand under
  /// `model.`. Its outputs stay the model's own unless others are named.
  ///
  /// - Parameters:
  ///   - rename: the larger model's name of an output, or `nil` if it is none there.
  ///   - inputs: its inputs among those of the larger model.
  package func inside(
    _ model: String, rename: (StageOutput) -> String? = { $0.name },
    inputs: @escaping @Sendable (ModelInputs) -> ModelInputs = { $0 }
  ) -> Stage {
    let outputs = outputs.compactMap { output in
      rename(output).map {
        StageOutput(
          name: $0, state: model + "." + output.state, isHiddenState: output.isHiddenState)
      }
    }
    let work: @Sendable (ModelInputs) -> StageWork = { [work] in work(inputs($0)) }
    return Stage(model + "." + name, outputs: outputs, runsOnce: runsOnce, work: work) {
      scope throws(CheckpointError) in
      let step = try load(scope.innerModel(model))
      return { states throws(CheckpointError) in try states.within(model, inputs, step) }
    }
  }

  /// The weights of a stage of a part of a larger model, of which nothing reads what it makes, so that files may lack
  /// them.
  package func unread(inside model: String) -> Stage {
    Stage(model + "." + name, runsOnce: true) { scope throws(CheckpointError) in
      _ = try load(scope.innerModel(model).passengers)
      return { _ throws(CheckpointError) in }
    }
  }

  /// The same stage, whose text does not grow.
  package var onlyOnce: Stage {
    Stage(name, outputs: outputs, runsOnce: true, work: work, load: load)
  }

  /// The same stage, which works with more than it knows.
  package func working(_ more: @escaping @Sendable (ModelInputs, StageWork) -> StageWork) -> Stage {
    Stage(
      name, outputs: outputs, runsOnce: runsOnce, work: { [work] in more($0, work($0)) }, load: load
    )
  }

  /// The same stage, whose step is followed by another one.
  package func followed(
    by next: @escaping @Sendable (inout States<Scalar>) -> Void
  ) -> Stage {
    Stage(name, outputs: outputs, runsOnce: runsOnce, work: work) {
      [load] scope throws(CheckpointError) in
      let step = try load(scope)
      return { states throws(CheckpointError) in
        try step(&states)
        next(&states)
      }
    }
  }

  /// The same stage, which does nothing where these numbers are not given.
  package func onlyWith(numbers input: String) -> Stage {
    Stage(
      name, outputs: outputs, runsOnce: runsOnce,
      work: { [work] inputs in
        inputs.numbers[input] == nil ? StageWork(positions: 0, length: 0) : work(inputs)
      }
    ) { [load] scope throws(CheckpointError) in
      let step = try load(scope)
      return { states throws(CheckpointError) in
        if states.inputs.numbers[input] != nil { try step(&states) }
      }
    }
  }

  /// The same stage, which gives no outputs.
  package var silent: Stage {
    Stage(name, runsOnce: runsOnce, work: work, load: load)
  }

  /// What the stage asks for, and what its layers are.
  package var declared: Declared {
    let declaration = Declaration()
    // Declaring reads nothing, so nothing can fail.
    _ = try? load(WeightScope(visitor: declaration))
    return declaration.declared(named: name)
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
  package static func final(_ name: String, from state: String? = nil) -> StageOutput {
    StageOutput(name: name, state: state ?? name, isHiddenState: false)
  }

  /// The hidden state of that number, of a stack whose hidden states have a name of their own.
  package static func hidden(
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
  /// What stands before the names of the states of the inner model that is running.
  private var prefix = ""
  /// What layers keep of earlier inputs, if they keep anything.
  var kept: KeptArrays<Scalar>?

  /// The states before the first stage.
  ///
  /// - Parameters:
  ///   - keepsKeysAndValues: whether more inputs will follow. See `advance`.
  ///   - reserve: how many of the last positions it must be possible to forget. See `forget`.
  public init(inputs: ModelInputs, keepsKeysAndValues: Bool = false, reserve: Int = 0) {
    self.inputs = inputs
    kept = keepsKeysAndValues ? KeptArrays(reserve: reserve) : nil
  }

  /// Goes on to the inputs that follow `count` positions which all stages have seen.
  public mutating func advance(by count: Int, to inputs: ModelInputs) {
    precondition(kept != nil, "keys and values were not kept")
    kept?.length += count
    self.inputs = inputs
  }

  /// Runs a step that will not run again, so that its layers keep nothing.
  public mutating func runOnce(
    _ step: (inout States) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let outer = kept
    kept = nil
    defer { kept = outer }
    try step(&self)
  }

  /// Forgets a state that no later stage reads.
  package mutating func remove(_ name: String) {
    values[prefix + name] = nil
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
    set { values[prefix + name] = .array(newValue) }
  }

  /// The state of that name, scores over a vocabulary included.
  ///
  /// - Precondition: an earlier stage has set it.
  public func value(of name: String) -> StateValue<Scalar> {
    guard let value = values[prefix + name] else { preconditionFailure("no stage has set \(name)") }
    return value
  }

  /// Whether a stage has set the state of that name.
  public func isSet(_ name: String) -> Bool { values[prefix + name] != nil }

  /// The state of that name, if an earlier stage has set it.
  package func stateIfSet(_ name: String) -> NDArray<Scalar>? {
    isSet(name) ? self[name] : nil
  }

  /// The state of that name, or else the numbers that are given under it, if they are.
  func stateOrInput(_ name: String) -> NDArray<Scalar>? {
    stateIfSet(name) ?? inputs.optionalNumbers(name, as: Scalar.self)
  }

  /// Sets a state to what may be computed later.
  package mutating func set(_ name: String, to value: StateValue<Scalar>) {
    values[prefix + name] = value
  }

  /// Runs a step of an inner model, whose states have names of their own, and its inputs others.
  mutating func within(
    _ model: String, _ inner: (ModelInputs) -> ModelInputs,
    _ step: (inout States) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let outer = (prefix, inputs)
    prefix += model + "."
    inputs = inner(inputs)
    defer { (prefix, inputs) = outer }
    try step(&self)
  }
}
