public import Kernels
public import TensorCore

/// What a model is: its modules and weights for a config, and its mathematics.
///
/// Adding one is a folder in `Families/` and one line in `Family.all`: see docs/adding.md.
public protocol Architecture: Sendable, Equatable {
  /// The name on the command line and in `model_type`: `bert`.
  static var name: String { get }

  /// Reads the config. Faults are collected by `config`, which fails once with all of them.
  ///
  /// - Parameters:
  ///   - config: the config.json.
  ///   - isStored: whether the checkpoint stores the weight of that canonical path. It decides what
  ///     the config leaves open: the head, and a pooler.
  init(config: inout ConfigReader, isStored: (String) -> Bool)

  /// What the model computes, as its framework's class: `BertForMaskedLM`.
  var head: String { get }

  /// Everything that changes what the model computes and does not show in its weights' shapes, with
  /// synonyms normalised: one pair for each fact. It is part of the model's id.
  var mathematics: [(key: String, value: String)] { get }

  /// Dimensions by name, for dialects that divide an axis: `head_size`.
  var dimensions: [String: Int] { get }

  /// The forward pass.
  func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>]

  /// Checks inputs and fills in what may be left out.
  ///
  /// - Throws: `CheckpointError` with every fault.
  func prepare(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs

  /// Prepared inputs without the padding that none of the head's outputs depends on, hidden states being
  /// no outputs.
  func withoutPadding(_ inputs: ModelInputs) -> ModelInputs

  /// How the head continues a text, or `nil` if it does not.
  var generation: GenerationRules? { get }

  /// Checks inputs that are to be continued, and fills in what may be left out, as the framework
  /// does before it generates.
  ///
  /// - Throws: `CheckpointError` with every fault.
  func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs

  /// Inputs that show as many mistakes as inputs can: long, padded, ids from the whole vocabulary.
  ///
  /// - Parameter longest: how many positions they have at most.
  func probe(longest: Int) -> ModelInputs

  /// Random ids without padding, as long as asked, whether the model takes that much or not.
  ///
  /// - Parameter decoderLength: the length of what a decoder beside an encoder reads.
  func sample(batch: Int, length: Int, decoderLength: Int) -> ModelInputs
}

extension Architecture {
  /// The built-in probe: long enough to show mistakes in positions.
  public var probe: ModelInputs { probe(longest: 512) }

  /// A probe for models that are known to be the same.
  public var shortProbe: ModelInputs { probe(longest: 64) }

  /// Whether the other one is of the same kind and has read the same from its config, so that the same
  /// weights give the same outputs.
  public func isSame(as other: any Architecture) -> Bool { other as? Self == self }

  public var mathematics: [(key: String, value: String)] { [] }

  /// None, unless an architecture has some.
  public var dimensions: [String: Int] { [:] }

  public func withoutPadding(_ inputs: ModelInputs) -> ModelInputs { inputs }

  public var generation: GenerationRules? { nil }

  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    try prepare(inputs)
  }

  /// What the stages ask for: the modules as a tree, and their weights in order.
  package func declaration() -> (root: ModuleNode, slots: [WeightSlot]) {
    let declaration = Declaration()
    let scope = WeightScope<Float>(visitor: declaration)
    for stage in stages(Float.self) {
      // A declaring scope reads nothing, so nothing can be thrown.
      _ = try? stage.load(scope)
    }
    return (declaration.root(named: head), declaration.slots)
  }

  /// The names of all outputs, in order.
  public func outputNames(hiddenStates: Bool) -> [String] {
    stages(Float.self).flatMap(\.outputs).filter { hiddenStates || !$0.isHiddenState }.map(\.name)
  }
}
