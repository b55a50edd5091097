public import Kernels
public import Models
import TensorCore

/// What stands on a causal decoder.
public enum CausalHead: Sendable, CaseIterable {
  case base
  case languageModel
  case doubleHeads
  case sequenceClassification
  case tokenClassification
  case questionAnswering

  /// The classes of an architecture as Hugging Face usually names them: `…Model`, `…ForCausalLM`, …
  ///
  /// - Parameters:
  ///   - prefix: what they begin with.
  ///   - heads: what the architecture has classes for, in the order in which they are listed.
  public static func classes(
    of prefix: String,
    _ heads: [CausalHead] = [
      .base, .languageModel, .sequenceClassification, .tokenClassification, .questionAnswering,
    ]
  ) -> [(name: String, head: CausalHead)] {
    heads.map { (prefix + $0.ending, $0) }
  }

  private var ending: String {
    switch self {
    case .base: "Model"
    case .languageModel: "ForCausalLM"
    case .doubleHeads: "DoubleHeadsModel"
    case .sequenceClassification: "ForSequenceClassification"
    case .tokenClassification: "ForTokenClassification"
    case .questionAnswering: "ForQuestionAnswering"
    }
  }

  /// What the stored weights show.
  init(isTied: Bool, isStored: (String) -> Bool) {
    if isStored("choice_head.weight") {
      self = .doubleHeads
    } else if isStored("qa_head.weight") {
      self = .questionAnswering
    } else if isStored("classifier.bias") {
      // Before the scores of texts: a dialect may have one name for both matrices.
      self = .tokenClassification
    } else if isStored("score.weight") {
      self = .sequenceClassification
    } else if isStored("classifier.weight") {
      self = .tokenClassification
    } else {
      // A tied head is not stored, so nothing tells a language model from the bare one.
      self = isTied || isStored("lm_head.weight") ? .languageModel : .base
    }
  }
}

/// A decoder's head, described.
public struct HeadForm: Sendable, Equatable {
  /// What it is.
  public var task: CausalHead
  /// Whether the matrix over the vocabulary is that of the word embeddings.
  public var isTied: Bool
  /// Whether the scores of words have a bias.
  public var hasBias = false
  /// What the last state is multiplied by before it becomes scores of words.
  public var factor = 1.0
  /// The bound of the scores of words; `nil` for none.
  public var softcap: Double?
  /// The number of labels.
  public var labels: Int
  /// After which tokens a text is finished.
  public var endTokens: [Int]
  /// What shorter rows are filled up with, if there is such a token.
  public var padToken: Int?
  /// What is applied to the score of a choice.
  public var choiceActivation = Activation.linear
}

extension ConfigReader {
  /// The head of a causal decoder: its class, labels and special tokens.
  ///
  /// - Parameters:
  ///   - classes: the classes' names. See `CausalHead.classes`.
  ///   - isTied: what `tie_word_embeddings` says.
  ///   - endTokens: where the config has none.
  ///   - padToken: where the config has none.
  public mutating func causalHead(
    _ classes: [(name: String, head: CausalHead)], isTied: Bool, endTokens: [Int],
    padToken: Int? = nil, isStored: (String) -> Bool
  ) -> HeadForm {
    let labels = labelCount()
    let task = head(classes) { CausalHead(isTied: isTied, isStored: isStored) }
    return HeadForm(
      task: task, isTied: isTied, labels: labels,
      // A text ends with it when it is generated; no output depends on it.
      endTokens: tokens("eos_token_id", default: endTokens, on: .nothing),
      padToken: token(
        "pad_token_id", default: padToken,
        on: task == .sequenceClassification ? .outputs : .nothing))
  }
}

extension DecoderForm {
  /// The width of what the head reads.
  private var headWidth: Int { outputWidth ?? width }

  /// The stages after the last normalisation.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    switch head.task {
    case .base: []
    case .languageModel: [languageModel()]
    case .doubleHeads: [languageModel(), choice()]
    case .sequenceClassification:
      [
        .sequenceClassification(
          of: "hidden", width: headWidth, labels: head.labels, padToken: head.padToken)
      ]
    case .tokenClassification: [.classifier(of: "hidden", width: headWidth, labels: head.labels)]
    case .questionAnswering: [.questionAnswering(of: "hidden", width: headWidth)]
    }
  }

  private func languageModel<Scalar>() -> Stage<Scalar> {
    .languageModel(
      of: "hidden", width: headWidth, vocabulary: vocabulary, isTied: head.isTied,
      bias: head.hasBias, factor: head.factor, softcap: head.softcap)
  }

  /// One score a sequence, from the state of a token of its own.
  private func choice<Scalar>() -> Stage<Scalar> {
    Stage("choice_head", outputs: [.final("mc_logits")]) { scope throws(CheckpointError) in
      let linear = try Linear(scope.module("choice_head", .linear), in: headWidth, out: 1)
      return { states throws(CheckpointError) in
        let tokens = states.inputs.required("mc_token_ids")  // [batch, choices]
        let scores = linear(selectPositions(tokens.elements, of: states["hidden"]))
        states["mc_logits"] = apply(head.choiceActivation, to: column(0, of: scores))
      }
    }
  }
}
