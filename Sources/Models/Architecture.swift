public import Kernels
public import TensorCore

/// What a model is: its modules and weights for a config, and its mathematics.
///
/// Adding one is a folder in `Families/` and one line in `Family.all`: see docs/adding.md.
public protocol Architecture: Sendable, Equatable {
  /// The name on the command line and in `model_type`.
  static var name: String { get }

  /// Reads the config. Faults are collected by `config`, which fails once with all of them, and so are the
  /// facts, which are the model's mathematics from then on.
  ///
  /// - Parameters:
  ///   - config: the config.json.
  ///   - isStored: whether the checkpoint stores the weight of that canonical path. It decides what
  ///     the config leaves open: the head, and a pooler.
  init(config: inout ConfigReader, isStored: (String) -> Bool)

  /// The class that it has as a part of a larger model, if it can be that part of one.
  static func className(as part: ModelPart) -> String?

  /// What the model computes, as its framework's class.
  var head: String { get }

  /// Whether weights that are tied to others, and are stored and differ, are a fault.
  var expectsTies: Bool { get }

  /// Dimensions by name, for dialects that divide an axis: `head_size`.
  var dimensions: [String: Int] { get }

  /// The width of its hidden states; `nil` if it does not say.
  var hiddenWidth: Int? { get }

  /// The forward pass.
  func stages<Scalar: ComputeScalar>(_: Scalar.Type) -> [Stage<Scalar>]

  /// What the model reads, in order: the declaration that inputs are checked against and made from.
  var inputs: [InputSlot] { get }

  /// What is wrong with prepared inputs beyond their declaration.
  func faults(in inputs: ModelInputs) -> [String]

  /// Prepared inputs without the padding that none of the head's outputs depends on, hidden states being
  /// no outputs.
  func withoutPadding(_ inputs: ModelInputs) -> ModelInputs

  /// Up to where a text must go before something new happens to it.
  var reach: Reach { get }

  /// How the head continues a text, or `nil` if it does not.
  var generation: GenerationRules? { get }

  /// Checks inputs that are to be continued, and fills in what may be left out, as the framework
  /// does before it generates.
  ///
  /// - Throws: `CheckpointError` with every fault.
  func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs

  /// What the framework computes instead where it computes attention in a way that is not its default one,
  /// `eager` for example; `nil` if that is the same, as it should be.
  func deviation(ofAttention way: String) -> FrameworkDeviation?

  /// The word that stands for none, where a word is scored at each place of a sound: repeated words are one, and this one
  /// is left out. Graves et al.: "Connectionist Temporal Classification", ICML 2006, §3.1.
  var blank: Int? { get }

  /// How texts and pictures are compared, if they are.
  var matching: PictureMatching? { get }

  /// What stands for a picture in a text, if pictures stand in texts.
  var pictureToken: PictureToken? { get }

  /// The state after its first stage, `[batch, length, width]`, if it holds words' vectors and nothing else, so that other
  /// vectors may take the places of some; `nil` if it does not, or has none.
  var wordVectors: String? { get }

  /// Random inputs with the tokens in them that the head looks for.
  ///
  /// - Parameter inputs: a probe.
  func completing(_ inputs: ModelInputs) -> ModelInputs
}

/// How a model compares texts and pictures: what its `logits_per_image` mean, and how texts are read for that.
public struct PictureMatching: Sendable, Equatable {
  /// Whether each text fits a picture or not by itself, so that a score's probability is its sigmoid; else one of the
  /// texts does, and theirs are the softmax of all scores.
  public let isOfEach: Bool
  /// How many tokens every text has, padding included; `nil` for as many as the longest one.
  public let textLength: Int?

  package init(isOfEach: Bool, textLength: Int?) {
    self.isOfEach = isOfEach
    self.textLength = textLength
  }
}

/// What stands for a picture in a text.
public struct PictureToken: Sendable, Equatable {
  /// The token.
  public let id: Int
  /// How many of them stand for one picture, one behind the other.
  public let count: Int

  package init(id: Int, count: Int) {
    (self.id, self.count) = (id, count)
  }
}

/// What a model is for in a larger one.
public enum ModelPart: Sendable {
  /// It gives the states of a text, as `last_hidden_state`.
  case states
  /// It gives the scores of the words of a text that becomes, as `logits`.
  case words
  /// It gives the states of the parts of a picture, as hidden states that no last normalisation has changed.
  case pictures
}

/// What a framework computes instead of a model.
public struct FrameworkDeviation: Sendable {
  /// What would compute that, with the same weights.
  public let model: any Architecture
  /// How it differs, behind the framework's name.
  public let text: String

  /// Describes a deviation.
  package init(_ model: any Architecture, _ text: String) {
    (self.model, self.text) = (model, text)
  }
}

extension Architecture {
  /// Whether the other one is of the same kind and has read the same from its config, so that the same
  /// weights give the same outputs.
  public func isSame(as other: any Architecture) -> Bool { other as? Self == self }

  /// None, unless an architecture says so.
  public static func className(as part: ModelPart) -> String? { nil }

  public var expectsTies: Bool { true }

  /// None, unless an architecture has some.
  public var dimensions: [String: Int] { [:] }

  public var hiddenWidth: Int? { nil }

  public func faults(in inputs: ModelInputs) -> [String] { [] }

  public func withoutPadding(_ inputs: ModelInputs) -> ModelInputs { inputs }

  /// Nothing new, unless an architecture says so.
  public var reach: Reach { Reach() }

  public var generation: GenerationRules? { nil }

  public func deviation(ofAttention way: String) -> FrameworkDeviation? { nil }

  public var blank: Int? { nil }

  public var matching: PictureMatching? { nil }

  public var pictureToken: PictureToken? { nil }

  public var wordVectors: String? { nil }

  public func completing(_ inputs: ModelInputs) -> ModelInputs { inputs }

  /// A decoder's padding is masked and its positions count what is not, unless both are given.
  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    var inputs = inputs
    if let generation {
      inputs.fillMask(generation.mask, for: generation.ids, generation)
      if self.inputs.contains(where: { $0.name == "position_ids" }) {
        inputs.fillPositions(for: generation.ids, mask: generation.mask)
      }
    }
    return try prepare(inputs)
  }

  /// What the stages ask for: the modules as a tree, their weights in order, and what layers are.
  package func declaration() -> Declared {
    let declaration = Declaration()
    let scope = WeightScope<Float>(visitor: declaration)
    for stage in stages(Float.self) {
      // A declaring scope reads nothing, so nothing can be thrown.
      _ = try? stage.load(scope)
    }
    return declaration.declared(named: head)
  }

  /// The names of all outputs, in order.
  public func outputNames(hiddenStates: Bool) -> [String] {
    stages(Float.self).flatMap(\.outputs).filter { hiddenStates || !$0.isHiddenState }.map(\.name)
  }
}
