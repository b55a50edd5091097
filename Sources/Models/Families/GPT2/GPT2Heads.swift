import Kernels
import TensorCore

/// What stands on GPT-2's decoder, by the names of Hugging Face's classes.
public enum GPT2Head: String, Sendable, CaseIterable {
  case base = "GPT2Model"
  case languageModel = "GPT2LMHeadModel"
  case doubleHeads = "GPT2DoubleHeadsModel"
  case sequenceClassification = "GPT2ForSequenceClassification"
  case tokenClassification = "GPT2ForTokenClassification"
  case questionAnswering = "GPT2ForQuestionAnswering"

  /// What the stored weights show.
  init(isTied: Bool, isStored: (String) -> Bool) {
    if isStored("choice_head.weight") {
      self = .doubleHeads
    } else if isStored("score.weight") {
      self = .sequenceClassification
    } else if isStored("classifier.weight") {
      self = .tokenClassification
    } else if isStored("qa_head.weight") {
      self = .questionAnswering
    } else {
      // A tied head is not stored, so nothing tells a language model from the bare one.
      self = isTied || isStored("lm_head.weight") ? .languageModel : .base
    }
  }
}

extension GPT2 {
  /// The stages after the last normalisation.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    switch task {
    case .base: []
    case .languageModel: [languageModel()]
    case .doubleHeads: [languageModel(), choice()]
    case .sequenceClassification:
      [.sequenceClassification(of: "hidden", width: width, labels: labels, padToken: padToken)]
    case .tokenClassification: [.classifier(of: "hidden", width: width, labels: labels)]
    case .questionAnswering: [.questionAnswering(of: "hidden", width: width)]
    }
  }

  private func languageModel<Scalar>() -> Stage<Scalar> {
    .languageModel(of: "hidden", width: width, vocabulary: vocabulary, isTied: isTied)
  }

  /// One score a sequence, from the state of a token of its own.
  private func choice<Scalar>() -> Stage<Scalar> {
    Stage("choice_head", outputs: [.final("mc_logits")]) { scope throws(CheckpointError) in
      let head = try Linear(scope.module("choice_head", .linear), in: width, out: 1)
      return { states throws(CheckpointError) in
        let tokens = states.inputs.required("mc_token_ids")  // [batch, choices]
        let scores = head(selectPositions(tokens.elements, of: states["hidden"]))
        states["mc_logits"] = apply(choiceActivation, to: column(0, of: scores))
      }
    }
  }
}
