import Kernels

/// What stands on the decoder, by what Hugging Face's classes are called after the member's name.
enum LlamaHead: String, Sendable, CaseIterable {
  case base = "Model"
  case languageModel = "ForCausalLM"
  case sequenceClassification = "ForSequenceClassification"
  case tokenClassification = "ForTokenClassification"
  case questionAnswering = "ForQuestionAnswering"

  /// The class of a member with this head.
  func className(of member: any LlamaMember.Type) -> String { member.className + rawValue }

  /// All classes of a member.
  static func classes(of member: any LlamaMember.Type) -> [(name: String, head: LlamaHead)] {
    allCases.map { ($0.className(of: member), $0) }
  }

  /// What the stored weights show.
  init(isTied: Bool, isStored: (String) -> Bool) {
    if isStored("qa_head.weight") {
      self = .questionAnswering
    } else if isStored("classifier.bias") {
      self = .tokenClassification
    } else if isStored("score.weight") {
      self = .sequenceClassification
    } else {
      // A tied head is not stored, so nothing tells a language model from the bare one.
      self = isTied || isStored("lm_head.weight") ? .languageModel : .base
    }
  }
}

extension Llama {
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

  public static var generatingHeads: [String] {
    [LlamaHead.languageModel.className(of: Member.self)]
  }

  public var generation: GenerationRules? {
    guard task == .languageModel else { return nil }
    return GenerationRules(
      ids: "input_ids", mask: "attention_mask", endTokens: endTokens, padToken: padToken,
      longest: nil)
  }
}
