import Kernels
import Models
import TensorCore

/// The tokens that end texts, where a text is classified by the decoder's state at its last one.
struct EndTokens {
  private let tokens: [Int]

  init(_ tokens: [Int]) { self.tokens = tokens }

  /// Where each row has end tokens.
  func positions(in ids: NDArray<Int>) -> [[Int]] {
    (0..<ids.rows).map { row in
      ids.row(row).enumerated().filter { tokens.contains($0.element) }.map(\.offset)
    }
  }

  /// What is wrong with inputs whose rows have not as many as each other.
  func faults(in inputs: ModelInputs) -> [String] {
    let counts = Set(positions(in: inputs.required(Stack.encoder.ids)).map(\.count))
    guard counts.count != 1 || counts.contains(0) else { return [] }
    let token = tokens.first.map { "\($0)" } ?? "none"
    return [
      "each row of input_ids must have the same number of end tokens (\(token)), at least one"
    ]
  }

  /// Puts one at the end of each row, and no other elsewhere.
  func end(_ inputs: inout ModelInputs, vocabulary: Int) {
    guard var ids = inputs[Stack.encoder.ids], ids.width > 0 else { return }
    let end = tokens.first ?? 0
    ids.elements = ids.elements.map { $0 == end ? (end + 1) % vocabulary : $0 }
    for row in 0..<ids.rows { ids.elements[(row + 1) * ids.width - 1] = end }
    inputs[Stack.encoder.ids] = ids
  }
}

extension Stage {
  /// `logits`: from the decoder's state at the last end token of each row of `input_ids`, through a linear layer and
  /// the hyperbolic tangent.
  static func endClassification(
    of state: String, width: Int, labels: Int, endTokens: EndTokens
  ) -> Stage {
    Stage("classification_head", outputs: [.final("logits")]) { scope throws(CheckpointError) in
      let scope = scope.module("classification_head", .head)
      let dense = try Linear(
        scope.module("dense", .linear), in: width, out: width, activation: .tanh)
      let output = try Linear(scope.module("output", .linear), in: width, out: labels)
      return { states throws(CheckpointError) in
        let ids = states.inputs.required(Stack.encoder.ids)
        let last = endTokens.positions(in: ids).map { $0.last ?? 0 }
        let x = selectPositions(last, of: states[state])  // [batch, width]
        states["logits"] = output(dense(x))  // [batch, labels]
      }
    }
  }
}

extension ModelInputs {
  /// Lets every decoder text begin with a token, unless there is no room for one, or the decoder has no such token.
  mutating func beginDecoder(with token: Int, of slots: [InputSlot]) {
    let slot = slots.first { $0.name == Stack.decoder.ids }
    if case .ids(let vocabulary)? = slot?.content, token >= vocabulary { return }
    guard var prefix = self[Stack.decoder.ids], prefix.width > 0 else { return }
    for row in 0..<prefix.rows { prefix.elements[row * prefix.width] = token }
    self[Stack.decoder.ids] = prefix
  }

  /// Inputs that are to be continued: with a decoder text for each row, and the start token before every one that
  /// does not begin with it.
  ///
  /// - Throws: `CheckpointError` if there is no such token.
  func prompting(with start: Int?) throws(CheckpointError) -> ModelInputs {
    guard let start else {
      throw CheckpointError(
        .malformed("the config has no decoder_start_token_id to begin a text with"))
    }
    var inputs = self
    let source = self[Stack.encoder.ids]?.shape ?? numbers.values.first?.shape
    if let batch = source?.first, self[Stack.decoder.ids] == nil {
      inputs[Stack.decoder.ids] = NDArray(shape: [batch, 1], repeating: start)
    }
    return inputs.starting(with: start)
  }

  /// With the start token before every decoder text, unless one begins with it, as in Hugging Face's
  /// `_prepare_decoder_input_ids_for_generation`.
  private func starting(with token: Int) -> ModelInputs {
    guard let ids = self[Stack.decoder.ids], ids.shape.count == 2, ids.width > 0,
      !(0..<ids.rows).contains(where: { ids.elements[$0 * ids.width] == token })
    else { return self }
    var inputs = self
    for (name, first) in [(Stack.decoder.ids, token), (Stack.decoder.mask, 1)] {
      guard let array = self[name], array.shape == ids.shape else { continue }
      inputs[name] = NDArray(
        shape: [ids.rows, ids.width + 1],
        elements: (0..<ids.rows).flatMap { [first] + array.row($0) })
    }
    return inputs
  }
}
