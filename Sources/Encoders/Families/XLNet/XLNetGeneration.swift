import Kernels
public import Models
public import TensorCore

/// How many tokens a step reads again beside the new one, so that what is remembered of them is not.
private let reread = 2

/// How XLNetLMHeadModel continues texts (`prepare_inputs_for_generation` of models/xlnet/modeling_xlnet.py, 5.x): behind the
/// text stands a place that nobody sees and that is predicted. What is remembered of the text, if anything is, ends
/// before its last two tokens.
extension XLNet {
  public var generation: GenerationRules? {
    guard task == .languageModel else { return nil }
    let remembers = memory != nil
    return GenerationRules(
      ids: "input_ids", mask: "attention_mask", endTokens: endTokens, padToken: padToken,
      singleSteps: "steps that read earlier tokens again"
    ) { texts, isFirst in
      Self.predictingNext(of: isFirst || !remembers ? texts : texts.keepingLast(reread))
    }
  }

  /// Texts with a place behind them, which alone is predicted, and which no query sees.
  private static func predictingNext(of texts: NDArray<Int>) -> ModelInputs {
    let (batch, length) = (texts.rows, texts.width + 1)
    let place = (0..<length).map { $0 == length - 1 ? 1.0 : 0 }
    var inputs = ModelInputs([
      "input_ids": NDArray(
        shape: [batch, length], elements: (0..<batch).flatMap { texts.row($0) + [0] }),
      "token_type_ids": NDArray(shape: [batch, length], repeating: 0),
    ])
    inputs.numbers[targets] = NDArray(
      shape: [batch, 1, length], elements: (0..<batch).flatMap { _ in place })
    inputs.numbers[order] = NDArray(
      shape: [batch, length, length], elements: (0..<batch * length).flatMap { _ in place })
    return inputs
  }

  /// A text alone: the framework reads no other input while it generates, and padding as words.
  public func prompt(_ inputs: ModelInputs) throws(CheckpointError) -> ModelInputs {
    var inputs = try prepare(inputs)
    guard generation != nil else { return inputs }
    if let name = inputs.numbers.keys.min() {
      throw CheckpointError(
        .unsupported("\(name) is not supported where a text is continued; its words alone are"),
        advice: Self.wordsAlone)
    }
    if let types = inputs["token_type_ids"], types.elements.contains(where: { $0 != 0 }) {
      throw CheckpointError(
        .unsupported(
          "token_type_ids other than 0 are not supported where a text is continued, and the"
            + " framework takes none there"),
        advice: Self.wordsAlone)
    }
    if direction == .forwards, let rows = inputs["input_ids"]?.rows, rows > 1 {
      throw CheckpointError(
        .unsupported(
          "\(rows) texts, or beams, are not supported where queries see only what is before them"
            + " (attn_type uni): the framework continues one at a time there"),
        advice: "--inputs FILE gives one text, without --beams")
    }
    inputs["attention_mask"] = nil
    return inputs
  }

  /// What to do where there are other inputs, as in the probe that is taken if none are given.
  private static var wordsAlone: String {
    "--inputs FILE with input_ids alone gives a text to continue, or --text \"…\""
  }
}

extension NDArray {
  /// The rows' last elements, so many of each.
  fileprivate func keepingLast(_ count: Int) -> NDArray {
    NDArray(shape: [rows, count], elements: (0..<rows).flatMap { row($0).suffix(count) })
  }
}

extension NDArray where Element: ComputeScalar {
  /// Memories `[batch, positions, width]` without those of what the next step reads again; `nil` if none are left.
  var withoutReread: NDArray? {
    let count = shape[1] - reread
    return count > 0 ? split(self, axis: 1, sizes: [count, reread])[0] : nil
  }
}
