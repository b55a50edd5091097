public import Kernels
public import TensorCore

extension WeightGraph {
  /// The graph of a model whose hidden states modules make vectors of texts of.
  ///
  /// - Parameters:
  ///   - stack: the modules.
  ///   - tensors: those of each folder, by its name.
  /// - Throws: `CheckpointError`: refused if the modules do not fit the model, or their weights them.
  public func topped(
    by stack: SentenceStack, _ tensors: [String: [Tensor]]
  ) throws(CheckpointError) -> WeightGraph {
    guard let state = hiddenState else {
      throw CheckpointError(
        .unsupported("the class \(architecture.head) gives no hidden states to make vectors of"))
    }
    var faults: [String] = []
    if let inputs = stack.inputs, let width = architecture.hiddenWidth, inputs != width {
      faults.append("the pooling reads \(inputs) numbers, hidden states have \(width)")
    }
    var placements: [String: Placement] = [:]
    var left = tensors.mapValues { Dictionary($0.map { ($0.name.text, $0) }) { first, _ in first } }
    let (declared, stored) = stack.declared
    for slot in declared.slots {
      guard let (folder, name) = stored[slot.path] else { continue }
      guard let tensor = left[folder]?.removeValue(forKey: name) else {
        faults.append("\(folder): \(name) is missing")
        continue
      }
      guard tensor.shape == slot.shape, tensor.dtype.isComputable else {
        faults.append(
          "\(folder): \(name) is \(tensor.dtype) \(describe(shape: tensor.shape)), must be numbers"
            + " of shape \(describe(shape: slot.shape))")
        continue
      }
      placements[slot.path] = Placement(tensor.renamed(TensorName("\(folder)/\(name)")), at: slot)
    }
    for (folder, rest) in left.sorted(by: { $0.key < $1.key }) {
      for name in rest.keys.sorted() { faults.append("\(folder): \(escaped(name)) is unexpected") }
    }
    guard faults.isEmpty else { throw SentenceStack.misfit(faults) }
    return adding(declared, placements, SentenceHead(stack: stack, state: state, tensors: tensors))
  }

  /// The state that leaves the model as its last hidden states.
  private var hiddenState: String? {
    architecture.stages(Float.self).flatMap(\.outputs).last { $0.name == "last_hidden_state" }?
      .state
  }

  /// The forward pass: that of the architecture, and of the modules on it.
  public func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>] {
    let own = architecture.stages(Scalar.self)
    return own + (sentences.map { $0.stack.stages(on: $0.state, Scalar.self) } ?? [])
  }

  /// The weights of the modules, by folder and name: `2_Dense/linear.weight`.
  public var moduleWeights: [Tensor] {
    guard let sentences else { return [] }
    return sentences.stack.declared.declared.slots.compactMap { tensor(at: $0.path) }
  }

  /// What the model reads: what its architecture does, and how long a prompt is if that matters.
  public var inputs: [InputSlot] {
    architecture.inputs + (sentences == nil ? [] : [.lengths(PoolingForm.promptLength)])
  }

  /// Checks inputs against their declaration and fills in what may be left out.
  ///
  /// - Throws: `CheckpointError` with every fault.
  public func prepare(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    guard sentences != nil else { return try architecture.prepare(inputs) }
    return try InputReader(inputs, self.inputs).checked(architecture.faults)
  }

  /// Prepared inputs without the padding that no output depends on.
  public func withoutPadding(_ inputs: ModelInputs) -> ModelInputs {
    sentences == nil ? architecture.withoutPadding(inputs) : inputs
  }

  /// The built-in probe, with prompts of two tokens where there is a pooling.
  public func probe(longest: Int) -> ModelInputs {
    var probe = architecture.probe(longest: longest)
    if sentences != nil, let ids = probe["input_ids"] {
      probe[PoolingForm.promptLength] = NDArray(shape: [ids.rows], repeating: 2)
    }
    return probe
  }

  /// The built-in probe: long enough to show mistakes in positions.
  public var probe: ModelInputs { probe(longest: usualProbeLength) }

  /// A probe for models that are known to be the same.
  public var shortProbe: ModelInputs { probe(longest: 64) }

  /// Whether the other one computes the same with the same weights.
  public func isSame(as other: WeightGraph) -> Bool {
    architecture.isSame(as: other.architecture) && sentences?.stack == other.sentences?.stack
  }

  /// The class under modules that need hidden states: the one that gives them; `nil` if none does.
  ///
  /// - Throws: `CheckpointError` if the model is not recognised.
  public static func classOfHiddenStates(
    _ table: TensorTable, config: JSONValue?, options: RecognitionOptions
  ) throws(CheckpointError) -> String? {
    try className(table, config: config, options: options) { model in
      model.outputNames(hiddenStates: false).contains("last_hidden_state")
        && !model.inputs.contains { $0.name.hasPrefix("decoder_") }
    }
  }
}

/// The modules on a model's hidden states, and what they are made of.
struct SentenceHead: Sendable {
  let stack: SentenceStack
  /// The state with the hidden states.
  let state: String
  /// The tensors of each folder.
  let tensors: [String: [Tensor]]
}
