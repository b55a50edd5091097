import Kernels
import TensorCore

/// Stages that stand at the end of models of several architectures.
extension Stage {
  /// `logits`: a linear layer on each vector of a state.
  static func classifier(
    _ name: String = "classifier", of state: String, width: Int, labels: Int
  ) -> Stage {
    Stage(name, outputs: [.final("logits")]) { scope throws(CheckpointError) in
      let classifier = try Linear(scope.module(name, .linear), in: width, out: labels)
      return { states throws(CheckpointError) in
        states["logits"] = classifier(states[state])
      }
    }
  }

  /// `start_logits` and `end_logits`: two scores for each position.
  static func questionAnswering(of state: String, width: Int) -> Stage {
    Stage(
      "qa_head", outputs: [.final("start_logits"), .final("end_logits")]
    ) { scope throws(CheckpointError) in
      let head = try Linear(scope.module("qa_head", .linear), in: width, out: 2)
      return { states throws(CheckpointError) in
        let scores = head(states[state])  // [batch, length, 2]
        states["start_logits"] = column(0, of: scores)
        states["end_logits"] = column(1, of: scores)
      }
    }
  }

  /// `logits`: the score of each word of the vocabulary, without a bias.
  ///
  /// - Parameters:
  ///   - isTied: whether the matrix is that of the word embeddings, unless it is stored separately.
  ///   - factor: what the state is multiplied by.
  static func languageModel(
    of state: String, width: Int, vocabulary: Int, isTied: Bool, factor: Double = 1
  ) -> Stage {
    Stage("lm_head", outputs: [.final("logits")]) { scope throws(CheckpointError) in
      let head = scope.module("lm_head", .linear).rows(
        "weight", [vocabulary, width], .linear,
        tiedTo: isTied ? "embeddings.word.weight" : nil)
      return { states throws(CheckpointError) in
        let x = factor == 1 ? states[state] : scaled(states[state], by: factor)
        // [batch, length, vocabulary]
        states.set("logits", to: try head.product(with: x, bias: nil))
      }
    }
  }
}
