import Kernels
import Models
import TensorCore

/// What stands on XLNet, by the names of Hugging Face's classes.
enum XLNetHead: String, Sendable, CaseIterable {
  case base = "XLNetModel"
  case languageModel = "XLNetLMHeadModel"
  case sequenceClassification = "XLNetForSequenceClassification"
  case tokenClassification = "XLNetForTokenClassification"
  case multipleChoice = "XLNetForMultipleChoice"
  case questionAnsweringSimple = "XLNetForQuestionAnsweringSimple"

  /// What the stored weights show.
  init(isStored: (String) -> Bool) {
    if isStored("lm_head.bias") {
      self = .languageModel
    } else if isStored("score.weight") {
      self = .sequenceClassification
    } else if isStored("classifier.weight") {
      self = .tokenClassification
    } else if isStored("qa_head.weight") {
      self = .questionAnsweringSimple
    } else {
      self = .base
    }
  }

  /// Whether outputs are of whole texts.
  var isOfTexts: Bool { self == .sequenceClassification || self == .multipleChoice }
}

/// What a text is classified by.
struct XLNetSummary: Sendable, Equatable {
  /// Which state of a text.
  enum Place: String, CaseIterable {
    case last
    case first
    /// The mean of all, padding included.
    case mean
    /// That of a place which no head's caller gives: the last.
    case given = "cls_index"
  }

  let place: Place
  /// Whether a linear layer follows.
  let hasLayer: Bool
  /// What follows that.
  let activation: Activation
}

extension XLNet {
  /// The stages after the last block.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    switch task {
    case .base: []
    case .languageModel:
      [
        .languageModel(
          of: "result", width: width, vocabulary: vocabulary, isTied: isTied, bias: true)
      ]
    case .sequenceClassification:
      [summaries(), .classifier("score", of: "pooled", width: width, labels: labels)]
    case .multipleChoice: [summaries(), .choice("score", of: "pooled", width: width)]
    case .tokenClassification: [.classifier(of: "result", width: width, labels: labels)]
    case .questionAnsweringSimple: [.questionAnswering(of: "result", width: width)]
    }
  }

  private func summaries<Scalar>() -> Stage<Scalar> {
    Stage("summary") { scope throws(CheckpointError) in
      let layer =
        summary.hasLayer
        ? try Linear(
          scope.module("summary", .linear), in: width, out: width, activation: summary.activation)
        : nil
      return { states throws(CheckpointError) in
        let x = summary.place.state(of: states["result"])
        states["pooled"] = layer?(x) ?? apply(summary.activation, to: x)
      }
    }
  }
}

extension XLNetSummary.Place {
  /// `[batch, length, width]` to `[batch, width]`
  fileprivate func state<Scalar: ComputeScalar>(of x: NDArray<Scalar>) -> NDArray<Scalar> {
    let length = x.shape[1]
    switch self {
    case .last, .given: return position(length - 1, of: x)
    case .first: return position(0, of: x)
    case .mean:
      let sums = batchedProduct(NDArray(shape: [1, 1, length], repeating: 1), x)
      return scaled(sums.reshaped([x.shape[0], x.width]), by: 1 / Double(length))
    }
  }
}
