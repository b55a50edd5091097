package import Kernels
import TensorCore

/// Stages that stand at the end of models of several architectures.
extension Stage {
  /// `logits`: a linear layer on each vector of a state.
  package static func classifier(
    _ name: String = "classifier", of state: String, width: Int, labels: Int
  ) -> Stage {
    Stage(name, outputs: [.final("logits")]) { scope throws(CheckpointError) in
      let classifier = try Linear(scope.module(name, .linear), in: width, out: labels)
      return { states throws(CheckpointError) in
        states["logits"] = classifier(states[state])
      }
    }
  }

  /// `logits`: one score for each choice of a question, of a vector for each; batch and choices were merged on
  /// the way in.
  package static func choice(
    _ name: String = "classifier", of state: String, width: Int
  ) -> Stage {
    Stage(name, outputs: [.final("logits")]) { scope throws(CheckpointError) in
      let classifier = try Linear(scope.module(name, .linear), in: width, out: 1)
      return { states throws(CheckpointError) in
        let scores = classifier(states[state])  // [batch × choices, 1]
        let choices = states.inputs.choices
        states["logits"] = scores.reshaped([scores.rows / choices, choices])
      }
    }
  }

  /// `start_logits` and `end_logits`: two scores for each position.
  package static func questionAnswering(of state: String, width: Int) -> Stage {
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

  /// `logits`: the score of each word of the vocabulary.
  ///
  /// - Parameters:
  ///   - ids: the input that has a number for each position of the state.
  ///   - isTied: whether the matrix is that of the word embeddings, unless it is stored separately.
  ///   - table: the path of the word embeddings.
  ///   - hasBias: whether each word has a bias.
  ///   - biasOrigin: what that is where it is not stored.
  ///   - factor: what the state is multiplied by.
  ///   - softcap: the bound `c` of the scores, which become `c·tanh(x/c)`; `nil` for none.
  ///   - output: what the framework calls the scores.
  package static func languageModel(
    of state: String, ids: String = "input_ids", width: Int, vocabulary: Int, isTied: Bool,
    to table: String = "embeddings.word.weight", bias hasBias: Bool = false,
    biasOrigin: WeightOrigin? = nil, factor: Double = 1, softcap: Double? = nil,
    as output: String = "logits"
  ) -> Stage {
    Stage(
      "lm_head", outputs: [.final(output)], work: { .positions(of: ids, in: $0) }
    ) { scope throws(CheckpointError) in
      let scope = scope.module("lm_head", .linear)
      let head = scope.rows(
        "weight", [vocabulary, width], .linear, origin: isTied ? .equal(table) : nil)
      let bias = hasBias ? try scope.weight("bias", [vocabulary], .bias, origin: biasOrigin) : nil
      return { states throws(CheckpointError) in
        let x = factor == 1 ? states[state] : scaled(states[state], by: factor)
        // [batch, length, vocabulary]
        states.set(output, to: try head.product(with: x, bias: bias, softcap: softcap))
      }
    }
  }

  /// `logits`: the labels' scores from the state of each row's last token that is not the padding id,
  /// whatever the mask says; without a padding id from that of the last one.
  package static func sequenceClassification(
    _ name: String = "score", of state: String, ids: String = "input_ids", width: Int, labels: Int,
    padToken: Int?
  ) -> Stage {
    Stage(name, outputs: [.final("logits")]) { scope throws(CheckpointError) in
      let score = try Linear(scope.module(name, .linear), in: width, out: labels, bias: false)
      return { states throws(CheckpointError) in
        let ids = states.inputs.required(ids)
        let last = (0..<ids.rows).map { row in
          guard let padToken else { return ids.width - 1 }
          let ids = ids.row(row)
          return (ids.lastIndex { $0 != padToken } ?? ids.startIndex) - ids.startIndex
        }
        states["logits"] = score(selectPositions(last, of: states[state]))  // [batch, labels]
      }
    }
  }

  /// A state of the first token of each row, through a linear layer and an activation.
  ///
  /// - Parameters:
  ///   - output: the state that it sets, which is an output of the model too if `isOutput`.
  ///   - isUnused: whether nothing reads it, so that it is not computed, and need not be stored.
  package static func pooler(
    _ name: String = "pooler", of state: String, to output: String, width: Int,
    activation: Activation = .tanh, isOutput: Bool, isUnused: Bool = false
  ) -> Stage {
    Stage(name, outputs: isOutput ? [.final(output)] : []) { scope throws(CheckpointError) in
      let dense = try Linear(
        scope.module(name, .linear, isUnused: isUnused), in: width, out: width,
        activation: activation, origin: isUnused ? .passenger : nil)
      return { states throws(CheckpointError) in
        guard !isUnused else { return }
        states[output] = dense(position(0, of: states[state]))  // [batch, width]
      }
    }
  }
}

extension String {
  /// Why only one row at a time can be classified, unless there is a padding token that tells where rows
  /// end. For `InputSlot.ids`.
  package static func unless(_ padToken: Int?) -> String? {
    padToken == nil
      ? "the config has no pad_token_id, without which only one row can be classified at a time"
      : nil
  }
}

/// The mean of the vectors of all positions: `[batch, positions, width]` to `[batch, width]`.
package func meanOfPositions<Scalar: ComputeScalar>(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
  let (batch, count, width) = (x.shape[0], x.shape[1], x.shape[2])
  var sums = [Scalar](repeating: 0, count: batch * width)
  for picture in 0..<batch {
    for position in 0..<count {
      let start = (picture * count + position) * width
      for column in 0..<width { sums[picture * width + column] += x.elements[start + column] }
    }
  }
  return NDArray(shape: [batch, width], elements: sums.map { $0 / Scalar(count) })
}
