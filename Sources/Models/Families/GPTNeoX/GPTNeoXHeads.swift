import Kernels

/// What stands on GPT-NeoX's decoder, by the names of Hugging Face's classes.
public enum GPTNeoXHead: String, Sendable, CaseIterable {
  case base = "GPTNeoXModel"
  case languageModel = "GPTNeoXForCausalLM"
  case sequenceClassification = "GPTNeoXForSequenceClassification"
  case tokenClassification = "GPTNeoXForTokenClassification"
  case questionAnswering = "GPTNeoXForQuestionAnswering"

  /// What the stored weights show.
  init(isTied: Bool, isStored: (String) -> Bool) {
    if isStored("score.weight") {
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

extension GPTNeoX {
  /// The stages after the last normalisation.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    switch task {
    case .base: []
    case .languageModel:
      [.languageModel(of: "hidden", width: width, vocabulary: vocabulary, isTied: isTied)]
    case .sequenceClassification:
      [.sequenceClassification(of: "hidden", width: width, labels: labels, padToken: padToken)]
    case .tokenClassification: [.classifier(of: "hidden", width: width, labels: labels)]
    case .questionAnswering: [.questionAnswering(of: "hidden", width: width)]
    }
  }

  public var inputs: [InputSlot] {
    [
      .ids(
        "input_ids", below: vocabulary,
        onlyOneRow: task == .sequenceClassification ? .unless(padToken) : nil),
      .mask("attention_mask"),
      .positions("position_ids"),
    ]
  }

  public static var generatingHeads: [String] { [GPTNeoXHead.languageModel.rawValue] }

  public var generation: GenerationRules? {
    guard task == .languageModel else { return nil }
    return GenerationRules(
      ids: "input_ids", mask: "attention_mask", endTokens: endTokens, padToken: padToken,
      longest: nil)
  }
}
