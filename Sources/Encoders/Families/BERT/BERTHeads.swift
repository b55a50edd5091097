import Kernels
import Models
import TensorCore

/// What stands on BERT's encoder, by the names of Hugging Face's classes.
public enum BERTHead: String, Sendable, CaseIterable {
  case base = "BertModel"
  case preTraining = "BertForPreTraining"
  case maskedLM = "BertForMaskedLM"
  case causalLM = "BertLMHeadModel"
  case nextSentence = "BertForNextSentencePrediction"
  case sequenceClassification = "BertForSequenceClassification"
  case multipleChoice = "BertForMultipleChoice"
  case tokenClassification = "BertForTokenClassification"
  case questionAnswering = "BertForQuestionAnswering"

  /// What the stored weights show.
  init(isDecoder: Bool, isStored: (String) -> Bool) {
    let hasPooler = isStored("pooler.weight")
    if isStored("mlm_head.transform.weight") {
      self = isStored("nsp_head.weight") ? .preTraining : isDecoder ? .causalLM : .maskedLM
    } else if isStored("nsp_head.weight") {
      self = .nextSentence
    } else if isStored("qa_head.weight") {
      self = .questionAnswering
    } else if isStored("classifier.weight") {
      self = hasPooler ? .sequenceClassification : .tokenClassification
    } else {
      self = .base
    }
  }

  /// The modules beyond the encoder that the head needs.
  var modules: Set<String> {
    switch self {
    case .base: []
    case .preTraining: ["pooler", "mlm_head", "nsp_head"]
    case .maskedLM, .causalLM: ["mlm_head"]
    case .nextSentence: ["pooler", "nsp_head"]
    case .sequenceClassification, .multipleChoice: ["pooler", "classifier"]
    case .tokenClassification: ["classifier"]
    case .questionAnswering: ["qa_head"]
    }
  }
}

extension BERT {
  /// The stages after the encoder and the pooler.
  func headStages<Scalar: ComputeScalar>() -> [Stage<Scalar>] {
    var stages: [Stage<Scalar>] = []
    if task.modules.contains("mlm_head") { stages.append(maskedLM()) }
    if task != .base { stages.append(nextSentence()) }
    switch task {
    case .sequenceClassification:
      stages.append(.classifier(of: "pooler_output", width: width, labels: labels))
    case .multipleChoice: stages.append(.choice(of: "pooler_output", width: width))
    case .tokenClassification:
      stages.append(.classifier(of: "hidden", width: width, labels: labels))
    case .questionAnswering: stages.append(.questionAnswering(of: "hidden", width: width))
    default: break
    }
    return stages
  }

  /// A transformed hidden state times every word's embedding: the score of each word.
  private func maskedLM<Scalar>() -> Stage<Scalar> {
    let name = task == .preTraining ? "prediction_logits" : "logits"
    return Stage("mlm_head", outputs: [.final(name)]) { scope throws(CheckpointError) in
      let scope = scope.module("mlm_head", .head)
      let transform = try Linear(
        scope.module("transform", .linear), in: width, out: width, activation: activation)
      let norm = try LayerNorm(
        scope.module("norm", .layerNorm), width: width, epsilon: epsilon)
      // Untied files of transformers 5 hold two biases, and only the decoder's is used.
      _ = try scope.weight("bias", [vocabulary], .bias)
      let decoder = scope.module("decoder", .linear)
      let weight = decoder.rows(
        "weight", [vocabulary, width], .linear,
        origin: isTied ? .equal("embeddings.word.weight") : nil)
      let bias = try decoder.weight("bias", [vocabulary], .bias, origin: .equal("mlm_head.bias"))
      return { states throws(CheckpointError) in
        let x = norm(transform(states["hidden"]))
        // [batch, length, vocabulary]
        states.set(name, to: try weight.product(with: x, bias: bias))
      }
    }
  }

  /// Google's pre-training files keep it too, whatever class the config names.
  private func nextSentence<Scalar>() -> Stage<Scalar> {
    let name = task == .preTraining ? "seq_relationship_logits" : "logits"
    let isUnused = !task.modules.contains("nsp_head")
    return Stage("nsp_head", outputs: isUnused ? [] : [.final(name)]) {
      scope throws(CheckpointError) in
      let head = try Linear(
        scope.module("nsp_head", .linear, isUnused: isUnused), in: width, out: 2,
        origin: isUnused ? .passenger : nil)
      return { states throws(CheckpointError) in
        guard !isUnused else { return }
        states[name] = head(states["pooler_output"])  // [batch, 2]
      }
    }
  }
}
