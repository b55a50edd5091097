import Kernels
import Models
import TensorCore

/// What stands on T5's stacks, by the endings of Hugging Face's classes.
public enum T5Head: String, Sendable, CaseIterable {
  case base = "Model"
  case conditionalGeneration = "ForConditionalGeneration"
  case encoder = "EncoderModel"
  case sequenceClassification = "ForSequenceClassification"
  case tokenClassification = "ForTokenClassification"
  case questionAnswering = "ForQuestionAnswering"

  /// The name of the class among those that begin with `prefix`.
  package func className(_ prefix: String) -> String { prefix + rawValue }

  /// What the stored weights show.
  init(isStored: (String) -> Bool) {
    if isStored("classification_head.output.weight") {
      self = .sequenceClassification
    } else if isStored("classifier.weight") {
      self = .tokenClassification
    } else if isStored("qa_head.weight") {
      self = .questionAnswering
    } else {
      // A tied head is not stored, so nothing tells a language model from the bare one.
      self = isStored("decoder.norm.weight") ? .conditionalGeneration : .encoder
    }
  }

  /// Whether there is a decoder.
  var hasDecoder: Bool { self != .encoder && self != .tokenClassification }

  /// Whether the decoder's ids, if not given, are the encoder's, shifted by the start token.
  var shiftsInputs: Bool { self == .sequenceClassification || self == .questionAnswering }

  /// The output that a stack's last state is.
  func output(of stack: Stack) -> String? {
    switch (stack, self) {
    case (.encoder, .encoder), (.decoder, .base): "last_hidden_state"
    case (.encoder, _): hasDecoder ? "encoder_last_hidden_state" : nil
    case (.decoder, _): nil
    }
  }
}

extension T5Architecture {
  /// The stages after the stacks.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    let decoder = Stack.decoder.state
    return switch task {
    case .base, .encoder: []
    case .conditionalGeneration:
      // Stored separately it is a head of its own, whether or not the states are scaled.
      [
        .languageModel(
          of: decoder, ids: Stack.decoder.ids, width: width, vocabulary: vocabulary,
          isTied: Member.tiesAlways || expectsTies,
          factor: scalesOutputs ? 1 / Double(width).squareRoot() : 1)
      ]
    case .sequenceClassification:
      [
        .endClassification(
          of: decoder, width: width, labels: labels, endTokens: EndTokens(endTokens))
      ]
    case .tokenClassification:
      [.classifier(of: Stack.encoder.state, width: width, labels: labels)]
    case .questionAnswering: [.questionAnswering(of: decoder, width: width)]
    }
  }
}
