public import Kernels
public import Models
public import TensorCore

/// A model that continues texts, one token at a time.
///
/// The logits are those of a pass over the whole text, up to rounding.
public struct Generator<Scalar: ComputeScalar> {
  /// The texts so far, prompts included: `[batch, length]`.
  public private(set) var sequences: NDArray<Int>

  private var model: Continuation<Scalar>
  private var choice: TokenChoice
  private var isFinished: [Bool]

  /// Loads a model and computes the prompt.
  ///
  /// - Parameters:
  ///   - prompt: what is continued. A mask, positions and the decoder's start are filled in
  ///     as Hugging Face's `generate` does.
  ///   - choice: how tokens are chosen.
  ///   - settings: what is followed beside what the config says of tokens.
  /// - Throws: `CheckpointError` if the head does not continue texts, the model cannot take the
  ///   prompt, or weights cannot be read.
  public init(
    _ graph: WeightGraph, prompt: ModelInputs, choice: TokenChoice = .likeliest,
    settings: GenerationSettings = GenerationSettings()
  ) throws(CheckpointError) {
    model = try Continuation(graph, prompt: prompt, settings: settings)
    sequences = model.texts
    isFinished = Array(repeating: false, count: sequences.rows)
    self.choice = choice
  }

  /// The scores of the token after the last one that was computed: `[batch, vocabulary]`.
  public var logits: NDArray<Scalar> { model.last }

  /// Adds given tokens, one a text, and computes what follows them.
  ///
  /// - Throws: `CheckpointError` if one is no id, or the text becomes too long for the model.
  public mutating func append(_ tokens: [Int]) throws(CheckpointError) {
    precondition(tokens.count == sequences.rows, "there is not one token for each text")
    try catchUp()
    extend(by: tokens)
    try catchUp()
  }

  /// Adds a token `count` times, or until every text has ended; texts that end before others are
  /// filled up with the padding token. Tokens that the config forces and forbids come and do not come, as the last
  /// of the `count` too.
  ///
  /// - Throws: `CheckpointError` if the text becomes too long for the model.
  public mutating func generate(_ count: Int) throws(CheckpointError) {
    // All but the last one are computed, and those that are not yet.
    try model.checkRoom(for: sequences.width - model.texts.width + max(0, count - 1))
    for step in 0..<count where !isFinished.allSatisfy(\.self) {
      try catchUp()
      let scores = logits
      var tokens = (0..<sequences.rows).map { text in
        choice.token(
          from: model.limited(
            scores.row(text), text, behind: sequences.row(text), isLast: step == count - 1))
      }
      for text in tokens.indices {
        if isFinished[text] { tokens[text] = model.rules.filler ?? tokens[text] }
        if model.rules.endTokens.contains(tokens[text]) { isFinished[text] = true }
      }
      extend(by: tokens)
    }
  }

  private mutating func extend(by tokens: [Int]) {
    sequences = sequences.widened(by: NDArray(shape: [tokens.count, 1], elements: tokens))
  }

  /// Computes the last tokens, unless that is done.
  private mutating func catchUp() throws(CheckpointError) {
    let count = sequences.width - model.texts.width
    guard count > 0 else { return }
    let tokens = (0..<sequences.rows).flatMap { sequences.row($0).suffix(count) }
    try model.add(NDArray(shape: [sequences.rows, count], elements: tokens))
  }
}

extension Tensor {
  /// Ids in memory as a tensor of 64-bit integers.
  public init(name: TensorName, ids: NDArray<Int>) {
    let bytes = ids.elements.flatMap { id in
      (0..<8).map { UInt8(truncatingIfNeeded: Int64(id) >> (8 * $0)) }
    }
    self.init(name: name, dtype: .i64, shape: ids.shape, bytes: ByteArray(bytes))
  }
}
