public import Kernels
public import Models
public import TensorCore

/// A model that continues texts, one token at a time.
///
/// Unlike in a forward pass all weights that are needed again stay in memory, tables included, and
/// attention layers keep their keys and values, so each step computes what is new and nothing else.
/// What an encoder does is done once. The logits are those of a pass over the whole text, up to
/// rounding.
public struct Generator<Scalar: ComputeScalar> {
  /// The texts so far, prompts included: `[batch, length]`.
  public private(set) var sequences: NDArray<Int>
  /// The scores of the token after the last one that was computed: `[batch, vocabulary]`.
  public private(set) var logits: NDArray<Scalar>

  private let rules: GenerationRules
  private var states: States<Scalar>
  /// The texts so far as one pass would read them, as long as they may have to be computed anew.
  private var whole: ModelInputs?
  private var steps: [Stage<Scalar>.Step] = []
  private var isFinished: [Bool]
  /// The last tokens of `sequences`, if they were not computed yet.
  private var pending: [Int]?

  /// Loads a model and computes the prompt.
  ///
  /// - Parameter prompt: what is continued. A mask, positions and the decoder's start are filled in
  ///   as Hugging Face's `generate` does.
  /// - Throws: `CheckpointError` if the head does not continue texts, the model cannot take the
  ///   prompt, or weights cannot be read.
  public init(_ graph: WeightGraph, prompt: ModelInputs) throws(CheckpointError) {
    let architecture = graph.architecture
    guard let rules = architecture.generation else {
      throw CheckpointError(
        .unsupported(
          "the class \(architecture.head) does not continue texts; language models with a decoder do"
        ))
    }
    let inputs = try architecture.prompt(prompt)
    guard let ids = inputs[rules.ids] else { preconditionFailure("a prompt has no ids") }
    self.rules = rules
    sequences = ids
    isFinished = Array(repeating: false, count: ids.rows)
    states = States(inputs: inputs, keepsKeysAndValues: true)
    whole = rules.renewedBeyond.flatMap { ids.width <= $0 ? inputs : nil }
    let scope = WeightScope<Scalar>(loading: graph, keepsTables: true)
    for stage in architecture.stages(Scalar.self) {
      let step = try stage.load(scope)
      try step(&states)
      if !stage.runsOnce { steps.append(step) }
    }
    logits = position(ids.width - 1, of: try states.value(of: "logits").array())
  }

  /// Adds given tokens, one a text, and computes what follows them.
  ///
  /// - Throws: `CheckpointError` if one is no id, or the text becomes too long for the model.
  public mutating func append(_ tokens: [Int]) throws(CheckpointError) {
    precondition(tokens.count == sequences.rows, "there is not one token for each text")
    try catchUp()
    extend(by: tokens)
    try catchUp()
  }

  /// Adds the likeliest token `count` times, or until every text has ended; texts that end before
  /// others are filled up with the padding token.
  ///
  /// - Throws: `CheckpointError` if the text becomes too long for the model.
  public mutating func generate(_ count: Int) throws(CheckpointError) {
    try checkRoom(for: count)
    for _ in 0..<count where !isFinished.allSatisfy(\.self) {
      try catchUp()
      var tokens = (0..<sequences.rows).map { likeliest(logits.row($0)) }
      for text in tokens.indices {
        if isFinished[text] { tokens[text] = rules.filler ?? tokens[text] }
        if rules.endTokens.contains(tokens[text]) { isFinished[text] = true }
      }
      extend(by: tokens)
    }
  }

  private mutating func extend(by tokens: [Int]) {
    let rows = tokens.indices.flatMap { Array(sequences.row($0)) + [tokens[$0]] }
    sequences = NDArray(shape: [tokens.count, sequences.width + 1], elements: rows)
    pending = tokens
  }

  /// Computes the last tokens, unless that is done.
  private mutating func catchUp() throws(CheckpointError) {
    guard let tokens = pending else { return }
    if let token = tokens.first(where: { !(0..<logits.width).contains($0) }) {
      throw CheckpointError(.malformed("token \(token) is not below \(logits.width)"))
    }
    try checkRoom(for: 1)
    let seen = states.inputs[rules.ids]?.width ?? 0
    let next = states.inputs.next(tokens, rules)
    whole = whole?.joined(with: next, rules)
    if let whole, let limit = rules.renewedBeyond, sequences.width > limit {
      states = States(inputs: whole, keepsKeysAndValues: true)
      self.whole = nil
    } else {
      states.advance(by: seen, to: next)
    }
    for step in steps { try step(&states) }
    let last = (states.inputs[rules.ids]?.width ?? 1) - 1
    logits = position(last, of: try states.value(of: "logits").array())
    pending = nil
  }

  /// Checks that `count` more tokens, the last of which is not computed, have positions.
  private func checkRoom(for count: Int) throws(CheckpointError) {
    guard let longest = rules.longest, let positions = states.inputs["position_ids"] else { return }
    let width = positions.width
    let last = (0..<positions.rows).map { positions.elements[($0 + 1) * width - 1] }.max() ?? 0
    // Those to compute: all but the last one, and the one that is pending.
    let needed = last + max(0, count - 1) + (pending == nil ? 0 : 1) + 1
    guard needed <= longest else {
      throw CheckpointError(
        .malformed("the text needs \(needed) positions, the model has \(longest)"))
    }
  }
}

/// The index of the largest score, the first of equal ones; NaN counts as the largest. As
/// `torch.argmax`.
private func likeliest<Scalar: ComputeScalar>(_ scores: ArraySlice<Scalar>) -> Int {
  var best = scores.startIndex
  for index in scores.indices
  where scores[index] > scores[best] || scores[index].isNaN && !scores[best].isNaN {
    best = index
  }
  return best - scores.startIndex
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
