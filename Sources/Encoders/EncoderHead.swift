public import Kernels
public import Models
import TensorCore

/// What stands on an encoder of texts.
public enum EncoderHead: Sendable, CaseIterable {
  case base
  case preTraining
  case maskedLM
  case causalLM
  case nextSentence
  case replacedTokens
  case sequenceClassification
  case multipleChoice
  case tokenClassification
  case questionAnswering
  case projection

  /// The classes of an architecture as Hugging Face usually names them: `…Model`, `…ForMaskedLM`, …
  ///
  /// - Parameters:
  ///   - prefix: what they begin with.
  ///   - heads: what the architecture has classes for, in the order in which they are listed.
  public static func classes(
    of prefix: String, _ heads: [EncoderHead]
  ) -> [(name: String, head: EncoderHead)] {
    heads.map { (prefix + $0.ending, $0) }
  }

  private var ending: String {
    switch self {
    case .base: "Model"
    case .preTraining, .replacedTokens: "ForPreTraining"
    case .maskedLM: "ForMaskedLM"
    case .causalLM: "ForCausalLM"
    case .nextSentence: "ForNextSentencePrediction"
    case .sequenceClassification: "ForSequenceClassification"
    case .multipleChoice: "ForMultipleChoice"
    case .tokenClassification: "ForTokenClassification"
    case .questionAnswering: "ForQuestionAnswering"
    case .projection: "ModelWithProjection"
    }
  }

  /// What the stored weights of an encoder show that has one class without a head and one with a projection.
  package init(isStored: (String) -> Bool) {
    self = isStored("text_projection.weight") ? .projection : .base
  }

  /// What the stored weights show.
  ///
  /// - Parameters:
  ///   - isCausal: whether no position sees what comes after it.
  ///   - poolsTexts: whether texts are classified by what the pooler makes of them.
  init(isCausal: Bool, poolsTexts: Bool, isStored: (String) -> Bool) {
    let hasPooler = isStored("pooler.weight")
    if isStored("mlm_head.transform.weight") || isStored("mlm_head.decoder.bias") {
      self = isStored("nsp_head.weight") ? .preTraining : isCausal ? .causalLM : .maskedLM
    } else if isStored("nsp_head.weight") {
      self = .nextSentence
    } else if isStored("discriminator.score.weight") {
      self = .replacedTokens
    } else if isStored("qa_head.weight") {
      self = .questionAnswering
    } else if isStored("summary.weight") {
      self = .multipleChoice
    } else if isStored("classifier_dense.weight") {
      self = .sequenceClassification
    } else if isStored("classifier.weight") {
      let ofTexts = poolsTexts ? EncoderHead.sequenceClassification : .multipleChoice
      self = hasPooler ? ofTexts : .tokenClassification
    } else {
      self = .base
    }
  }
}

/// An encoder's head, described.
public struct EncoderHeadForm: Sendable, Equatable {
  /// What it is.
  public var task: EncoderHead
  /// The number of labels.
  public var labels: Int
  /// How words are scored.
  public var words: WordScoring
  /// What a text, or a choice, is classified by.
  public var summary: Summary
  /// What is applied between the two layers that tell replaced tokens.
  public var replacedActivation = Activation.gelu
  /// What the score of a second sentence is called among a pre-trained model's outputs.
  public var pairOutput = "seq_relationship_logits"
  /// How many scores that has.
  public var pairLabels = 2
  /// The width of what a linear layer makes of a text's summary.
  public var projection = 1

  /// Describes a head that scores neither words nor labels.
  public init(task: EncoderHead, norm: NormForm, projection: Int = 1) {
    self.init(
      task: task, labels: 1,
      words: WordScoring(width: 1, activation: .linear, norm: norm, isTied: false),
      summary: .pooler)
    self.projection = projection
  }

  /// Describes a head.
  public init(task: EncoderHead, labels: Int, words: WordScoring, summary: Summary) {
    self.task = task
    self.labels = labels
    self.words = words
    self.summary = summary
  }

  /// What a text is classified by.
  public enum Summary: Sendable, Equatable {
    /// What the pooler makes of it.
    case pooler
    /// What a linear layer of that name makes of it, and an activation.
    case dense(String, Activation)
    /// It as it is.
    case state(Pooling)
    /// What a linear layer, an activation and a normalisation make of some states; of each state, where each is
    /// classified.
    case normalised(Activation, NormForm, hasBias: Bool, Pooling)
  }

  /// The state of a text.
  public enum Pooling: Sendable, Equatable {
    /// That of the first position.
    case first
    /// That of the last position, be it padding.
    case last
    /// That of the first position that is no padding.
    case firstAllowed
    /// The mean of all that are no padding.
    case mean
    /// That of the first position with this id; of the first position, where none has it.
    case firstOf(Int)
    /// That of the first position whose id is the largest.
    case largestID
  }

  /// Whether the states of all positions are outputs of the model.
  var givesStates: Bool { [.base, .projection].contains(task) }

  /// The state that positions are classified by.
  fileprivate var positionState: String {
    if case .normalised = summary { "transformed" } else { "hidden" }
  }

  /// Whether outputs are of whole texts, so that they depend on no state of a position that is padding.
  var isOfTexts: Bool {
    [.nextSentence, .sequenceClassification, .multipleChoice].contains(task)
      && summary != .state(.last)
  }
}

/// How the words of a vocabulary are scored: a linear layer, an activation, a normalisation, and a product with
/// each word's vector.
public struct WordScoring: Sendable, Equatable {
  /// The width of what is multiplied with the words' vectors.
  public var width: Int
  /// What is applied to the linear layer.
  public var activation: Activation
  /// The normalisation.
  public var norm: NormForm
  /// Whether the words' vectors are those of the embeddings, unless they are stored separately.
  public var isTied: Bool
  /// The words' biases.
  public var bias = Bias.own
  /// Whether the linear layer has a bias.
  public var hasTransformBias = true

  /// Describes a scoring.
  public init(
    width: Int, activation: Activation, norm: NormForm, isTied: Bool, bias: Bias = .own,
    hasTransformBias: Bool = true
  ) {
    self.width = width
    self.activation = activation
    self.norm = norm
    self.isTied = isTied
    self.bias = bias
    self.hasTransformBias = hasTransformBias
  }

  /// A bias for each word.
  public enum Bias: Sendable, Equatable {
    /// There is none.
    case none
    /// It belongs to the product.
    case own
    /// It stands beside the product, whose own is the same one unless it is stored separately. Then only that
    /// is used.
    case shared
  }
}

extension EncoderForm {
  /// The stages after the last state.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    switch head.task {
    case .base: []
    case .preTraining: [wordScores(as: "prediction_logits"), pairScores(as: head.pairOutput)]
    case .maskedLM, .causalLM: [wordScores(as: "logits")]
    case .nextSentence: [pairScores(as: "logits")]
    case .replacedTokens: [replacedTokens()]
    case .sequenceClassification:
      classified() + [.classifier(of: "pooler_output", width: width, labels: head.labels)]
    case .multipleChoice: classified() + [.choice(of: "pooler_output", width: width)]
    case .tokenClassification:
      transforms() + [.classifier(of: head.positionState, width: width, labels: head.labels)]
    case .projection: [projected()]
    case .questionAnswering:
      transforms() + [.questionAnswering(of: head.positionState, width: width)]
    }
  }

  /// What each position is classified by, if that is not its state.
  private func transforms<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    guard case .normalised(let activation, let norm, let hasBias, _) = head.summary else {
      return []
    }
    return [normalised(activation, norm, hasBias: hasBias, to: "transformed", pooling: nil)]
  }

  /// A linear layer, an activation and a normalisation of all states, or of one for each text.
  private func normalised<Scalar: ComputeScalar>(
    _ activation: Activation, _ norm: NormForm, hasBias: Bool, to output: String,
    pooling: EncoderHeadForm.Pooling?
  ) -> Stage<Scalar> {
    Stage("classifier_dense") { scope throws(CheckpointError) in
      let dense = try Linear(
        scope.module("classifier_dense", .linear), in: width, out: width, bias: hasBias,
        activation: activation)
      let norm = try Norm(scope, "classifier_norm", norm, width: width)
      return { states throws(CheckpointError) in
        let x = states["hidden"]
        states[output] = norm(dense(pooling.map { $0.pooled(x, states.inputs) } ?? x))
      }
    }
  }

  /// What a text is classified by, unless the pooler has made it.
  private func classified<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    switch head.summary {
    case .pooler: []
    case .dense(let name, let activation):
      [
        .pooler(
          name, of: "hidden", to: "pooler_output", width: width, activation: activation,
          isOutput: false)
      ]
    case .state(let pooling):
      [
        Stage("summary") { _ throws(CheckpointError) in
          return { states throws(CheckpointError) in
            states["pooler_output"] = pooling.pooled(
              states["hidden"], states.inputs)
          }
        }
      ]
    case .normalised(let activation, let norm, let hasBias, let pooling):
      [normalised(activation, norm, hasBias: hasBias, to: "pooler_output", pooling: pooling)]
    }
  }

  /// `text_embeds`: a linear layer on what stands for a text.
  private func projected<Scalar: ComputeScalar>() -> Stage<Scalar> {
    Stage("text_projection", outputs: [.final("text_embeds")]) { scope throws(CheckpointError) in
      let projection = try Linear(
        scope.module("text_projection", .linear), in: summary?.width ?? width,
        out: head.projection, bias: false)
      return { states throws(CheckpointError) in
        states["text_embeds"] = projection(states["pooler_output"])
      }
    }
  }

  /// The score of each word.
  private func wordScores<Scalar: ComputeScalar>(as name: String) -> Stage<Scalar> {
    let words = head.words
    return Stage("mlm_head", outputs: [.final(name)]) { scope throws(CheckpointError) in
      let scope = scope.module("mlm_head", .head)
      let transform = try Linear(
        scope.module("transform", .linear), in: width, out: words.width,
        bias: words.hasTransformBias, activation: words.activation)
      let norm = try Norm(scope, "norm", words.norm, width: words.width)
      if words.bias == .shared { _ = try scope.weight("bias", [vocabulary], .bias) }
      let decoder = scope.module("decoder", .linear)
      let weight = decoder.rows(
        "weight", [vocabulary, words.width], .linear,
        origin: words.isTied ? .equal("embeddings.word.weight") : nil)
      let bias =
        words.bias == .none
        ? nil
        : try decoder.weight(
          "bias", [vocabulary], .bias,
          origin: words.bias == .shared ? .equal("mlm_head.bias") : nil)
      return { states throws(CheckpointError) in
        let x = norm(transform(states["hidden"]))
        // [batch, length, vocabulary]
        states.set(name, to: try weight.product(with: x, bias: bias))
      }
    }
  }

  /// The scores of a pair of sentences.
  private func pairScores<Scalar: ComputeScalar>(as name: String) -> Stage<Scalar> {
    Stage("nsp_head", outputs: [.final(name)]) { scope throws(CheckpointError) in
      let head = try Linear(
        scope.module("nsp_head", .linear), in: width, out: self.head.pairLabels)
      return { states throws(CheckpointError) in states[name] = head(states["pooler_output"]) }
    }
  }

  /// For each position how much its token looks like one that was put there instead. Clark et al., arXiv
  /// 2003.10555, §2.
  private func replacedTokens<Scalar: ComputeScalar>() -> Stage<Scalar> {
    Stage("discriminator", outputs: [.final("logits")]) { scope throws(CheckpointError) in
      let scope = scope.module("discriminator", .head)
      let dense = try Linear(
        scope.module("dense", .linear), in: width, out: width, activation: head.replacedActivation)
      let score = try Linear(scope.module("score", .linear), in: width, out: 1)
      return { states throws(CheckpointError) in
        // [batch, length]
        states["logits"] = column(0, of: score(dense(states["hidden"])))
      }
    }
  }
}

extension EncoderHeadForm.Pooling {
  /// One state for each text.
  ///
  /// - Parameters:
  ///   - x: `[batch, length, width]`
  ///   - inputs: the ids, and the mask that says what is no padding.
  /// - Returns: `[batch, width]`
  func pooled<Scalar: ComputeScalar>(
    _ x: NDArray<Scalar>, _ inputs: ModelInputs
  ) -> NDArray<Scalar> {
    let allowed = inputs.mask("attention_mask")
    switch self {
    case .firstOf(let token):
      return selectPositions(places(in: inputs) { $0.firstIndex(of: token) }, of: x)
    case .largestID:
      return selectPositions(places(in: inputs) { $0.firstIndex(of: $0.max() ?? 0) }, of: x)
    case .first: return position(0, of: x)
    case .last: return position(x.shape[1] - 1, of: x)
    case .mean: return mean(x, allowed)
    case .firstAllowed: break
    }
    guard let allowed else { return position(0, of: x) }
    let places = (0..<allowed.rows).map { row in
      let row = allowed.row(row)
      return row.firstIndex(of: true).map { $0 - row.startIndex } ?? 0
    }
    return selectPositions(places, of: x)
  }

  /// The id whose state it is, if that is decided by ids and words have it.
  func token(below vocabulary: Int) -> Int? {
    switch self {
    case .firstOf(let token): (0..<vocabulary).contains(token) ? token : nil
    case .largestID: vocabulary - 1
    case .first, .last, .firstAllowed, .mean: nil
    }
  }

  /// For each text the place of one of its ids, or the first place.
  private func places(
    in inputs: ModelInputs, _ find: (ArraySlice<Int>) -> Int?
  ) -> [Int] {
    let ids = inputs.required("input_ids")
    return (0..<ids.rows).map { text in
      let row = ids.row(text)
      return find(row).map { $0 - row.startIndex } ?? 0
    }
  }

  private func mean<Scalar: ComputeScalar>(
    _ x: NDArray<Scalar>, _ allowed: NDArray<Bool>?
  ) -> NDArray<Scalar> {
    let (batch, length, width) = (x.shape[0], x.shape[1], x.width)
    var elements: [Scalar] = []
    elements.reserveCapacity(batch * width)
    for text in 0..<batch {
      var sum = [Scalar](repeating: 0, count: width)
      var count = 0
      for row in text * length..<(text + 1) * length where allowed?.elements[row] ?? true {
        count += 1
        for (column, element) in x.row(row).enumerated() { sum[column] += element }
      }
      // Of nothing but padding there is none, and transformers says so by a NaN as well.
      elements += sum.map { $0 / Scalar(count) }
    }
    return NDArray(shape: [batch, width], elements: elements)
  }
}
