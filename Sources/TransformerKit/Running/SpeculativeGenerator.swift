public import Kernels
public import Models
public import TensorCore

/// A model that continues a text with the help of a smaller one: the draft proposes some tokens, the model
/// computes all of them in one pass, and takes them up to the first that it would not have chosen.
///
/// Leviathan, Kalman, Matias: "Fast Inference from Transformers via Speculative Decoding", arXiv 2211.17192,
/// algorithm 1. What comes out is distributed as the model alone would have it (appendix A.1); the likeliest
/// tokens are the same ones, unless two scores differ by no more than their rounding.
public struct SpeculativeGenerator<Scalar: ComputeScalar> {
  /// What drafting was good for.
  public struct Record: Sendable, Equatable {
    /// Passes of the model, that of the prompt not counted.
    public internal(set) var passes = 0
    /// Tokens that the draft proposed.
    public internal(set) var proposed = 0
    /// Those that the model took.
    public internal(set) var accepted = 0
  }

  /// The text so far, prompt included: `[1, length]`.
  public private(set) var sequences: NDArray<Int>
  /// What drafting was good for so far.
  public private(set) var record = Record()

  private var model: Continuation<Scalar>
  private var draft: Continuation<Scalar>
  private var choice: TokenChoice
  private let draftTokens: Int
  private var isFinished = false

  /// Loads both models and computes the prompt.
  ///
  /// - Parameters:
  ///   - draft: the smaller model, over the same vocabulary.
  ///   - prompt: one text.
  ///   - draftTokens: how many tokens are proposed at a time.
  ///   - choice: how tokens are chosen.
  ///   - settings: what is followed beside what the config says of tokens.
  /// - Throws: `CheckpointError` if one of them does not continue texts or cannot take the prompt, if they do
  ///   not go together, or weights cannot be read.
  public init(
    _ graph: WeightGraph, draft: WeightGraph, prompt: ModelInputs, draftTokens: Int,
    choice: TokenChoice = .likeliest, settings: GenerationSettings = GenerationSettings()
  ) throws(CheckpointError) {
    precondition(draftTokens > 0, "nothing is proposed")
    model = try Continuation(graph, prompt: prompt, reserve: draftTokens, settings: settings)
    guard model.texts.rows == 1 else {
      throw CheckpointError(
        .unsupported("a draft goes with one text at a time, not with \(model.texts.rows)"))
    }
    if let reason = model.rules.singleSteps {
      throw CheckpointError(.unsupported("a draft does not go with \(reason)"))
    }
    if let rules = draft.architecture.generation, rules.reading != nil,
      let reason = rules.singleSteps
    {
      throw CheckpointError(.unsupported("a draft cannot be a model with \(reason)"))
    }
    guard model.rules.limits == TokenLimits() else {
      throw CheckpointError(
        .unsupported("a draft does not go with tokens that the config forces or forbids"),
        advice: "--ignore-generation-settings goes without those that are followed beside them")
    }
    let ids = model.rules.ids
    let words = (graph.architecture.words(of: ids), draft.architecture.words(of: ids))
    guard words.0 == words.1 else {
      throw CheckpointError(
        .unsupported(
          "the draft must have the vocabulary of the model, \(words.0 ?? 0) words, and has "
            + "\(words.1 ?? 0)"))
    }
    var prompt = prompt
    // What settings or the model itself have put at the beginning.
    if model.rules.opensBySettings { prompt[ids] = model.texts }
    self.draft = try Continuation(draft, prompt: prompt, reserve: draftTokens)
    guard self.draft.texts == model.texts else {
      throw CheckpointError(
        .unsupported("the draft begins texts with another token than the model"))
    }
    sequences = model.texts
    self.draftTokens = draftTokens
    self.choice = choice
  }

  /// Adds `count` tokens, or fewer if the text ends before.
  ///
  /// - Throws: `CheckpointError` if the text becomes too long for the model.
  public mutating func generate(_ count: Int) throws(CheckpointError) {
    // All but the last one are computed, and the one that is not yet.
    try model.checkRoom(for: sequences.width - model.texts.width + max(0, count - 1))
    let end = sequences.width + count
    while sequences.width < end, !isFinished {
      try step(atMost: end - sequences.width)
    }
  }

  /// Adds from one token up to one more than are proposed.
  private mutating func step(atMost count: Int) throws(CheckpointError) {
    let (proposals, chances) = try propose(min(draftTokens, count - 1))
    let targets = try judge(proposals)
    let decided = speculate(
      proposals, draft: chances, target: targets, accept: { choice.happens($0) },
      draw: { choice.draw($0) })
    record.passes += 1
    record.proposed += proposals.count
    record.accepted += decided.count - 1
    // The last one is not the draft's, and no model has computed it.
    let rejected = proposals.count - (decided.count - 1)
    model.takeBack(rejected)
    // The draft has not computed its last proposal.
    draft.takeBack(max(0, rejected - 1))
    let ending = decided.firstIndex(where: model.rules.endTokens.contains)
    isFinished = ending != nil
    let tokens = Array(decided.prefix((ending ?? decided.count - 1) + 1))
    sequences = sequences.widened(by: NDArray(shape: [1, tokens.count], elements: tokens))
  }

  /// Tokens of the draft, and with which probabilities each was drawn.
  private mutating func propose(
    _ count: Int
  ) throws(CheckpointError) -> (tokens: [Int], chances: [[Double]]) {
    var count = min(count, draft.room ?? count, model.room.map { $0 - missing } ?? count)
    // What is kept is computed anew beyond that length, and would not be there to go back to.
    for case let (limit?, width) in [
      (model.rules.renewedBeyond, sequences.width), (draft.rules.renewedBeyond, sequences.width),
    ] where width <= limit {
      count = min(count, limit - width)
    }
    guard count > 0 else { return ([], []) }
    try draft.catchUp(with: sequences)
    var (tokens, chances) = ([Int](), [[Double]]())
    for index in 0..<count {
      let probabilities = choice.probabilities(draft.last.row(0))
      tokens.append(choice.draw(probabilities))
      chances.append(probabilities)
      if index + 1 < count {
        try draft.add(NDArray(shape: [1, 1], elements: [tokens[index]]))
      }
    }
    return (tokens, chances)
  }

  /// How many decided tokens the model has not computed.
  private var missing: Int { sequences.width - model.texts.width }

  /// The model's probabilities of what follows the text, and each of the proposals.
  private mutating func judge(_ proposals: [Int]) throws(CheckpointError) -> [[Double]] {
    let before = missing == 0 ? [choice.probabilities(model.last.row(0))] : []
    let tokens = Array(sequences.row(0).suffix(missing)) + proposals
    guard !tokens.isEmpty else { return before }
    try model.add(NDArray(shape: [1, tokens.count], elements: tokens))
    let rows = tokens.count - proposals.count - 1
    return before
      + (max(0, rows)..<tokens.count).map { choice.probabilities(model.scores.row($0)) }
  }
}

extension Continuation {
  /// Computes what it has not computed of a text that begins with its own.
  fileprivate mutating func catchUp(with text: NDArray<Int>) throws(CheckpointError) {
    let tokens = Array(text.row(0).dropFirst(texts.width))
    guard !tokens.isEmpty else { return }
    try add(NDArray(shape: [1, tokens.count], elements: tokens))
  }
}

/// What is taken of proposed tokens, and the token after them.
///
/// A proposal `x` is taken with the probability `min(1, p(x)/q(x))`; instead of the first that is not taken
/// comes one of the distribution `norm(max(0, p − q))`, and after the last one of `p`. Leviathan et al., §2.3.
///
/// - Parameters:
///   - proposals: tokens, each drawn from one of `draft`.
///   - draft: `q` for each proposal.
///   - target: `p` for each proposal, and for what follows them.
///   - accept: decides with the given probability.
///   - draw: draws from a distribution.
package func speculate(
  _ proposals: [Int], draft: [[Double]], target: [[Double]], accept: (Double) -> Bool,
  draw: ([Double]) -> Int
) -> [Int] {
  for (index, token) in proposals.enumerated() {
    let (p, q) = (target[index], draft[index])
    if accept(min(1, p[token] / q[token])) { continue }
    let excess = zip(p, q).map { max(0, $0 - $1) }
    let sum = excess.reduce(0, +)
    // The two are the same but for rounding, so that nothing is left over.
    let rest = sum > 0 ? excess.map { $0 / sum } : p
    return proposals.prefix(index) + [draw(rest)]
  }
  return proposals + [draw(target[proposals.count])]
}
