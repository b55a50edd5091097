import Kernels
import Models
import TensorCore

/// A model in the middle of texts: it has computed them, keeps what later tokens need of that, and goes on from
/// there, or from some tokens before.
///
/// Unlike in a forward pass all weights that are needed again stay in memory, tables included, and
/// attention layers keep their keys and values, so each step computes what is new and nothing else.
/// What an encoder does is done once.
struct Continuation<Scalar: ComputeScalar> {
  /// What the architecture says of continuing.
  let rules: GenerationRules
  /// The ids that were computed, prompts included: `[batch, length]`.
  private(set) var texts: NDArray<Int>
  /// What follows each token of the last step: `[batch, tokens of the step, vocabulary]`.
  private(set) var scores: NDArray<Scalar>

  private var states: States<Scalar>
  /// The inputs of the last step, without what was taken back since.
  private var inputs: ModelInputs
  /// How many positions of the last step the states count as present, not as kept.
  private var present: Int
  /// The texts so far as one pass would read them, as long as they may have to be computed anew.
  private var whole: ModelInputs?
  private var steps: [(step: Stage<Scalar>.Step, runsOnce: Bool)] = []
  private let reserve: Int
  /// How long the prompt is.
  private var promptLength: Int
  /// How much of each text of it is padding at its beginning.
  private var padding: [Int]
  private let architecture: any Architecture
  private let opening: TextOpening?

  /// Loads a model and computes the prompt.
  ///
  /// - Parameters:
  ///   - prompt: what is continued. A mask, positions and the decoder's start are filled in as Hugging Face's
  ///     `generate` does.
  ///   - reserve: how many tokens it must be possible to take back at a time.
  ///   - settings: what is followed beside what the architecture says.
  ///   - startsAnew: whether other prompts will follow. See `restart`.
  /// - Throws: `CheckpointError` if the head does not continue texts, the model cannot take the
  ///   prompt, or weights cannot be read.
  init(
    _ graph: WeightGraph, prompt: ModelInputs, reserve: Int = 0,
    settings: GenerationSettings = GenerationSettings(), startsAnew: Bool = false
  ) throws(CheckpointError) {
    let architecture = graph.architecture
    guard let rules = architecture.generation else {
      let classes = graph.generatingClasses.joined(separator: " or ")
      throw CheckpointError(
        .unsupported("continuing texts is not supported for the class \(architecture.head)"),
        advice: classes.isEmpty
          ? "it is supported for no class of \(type(of: architecture).name)"
          : "--class \(classes) continues texts")
    }
    inputs = try architecture.prompt(prompt)
    guard let ids = inputs[rules.ids] else { preconditionFailure("a prompt has no ids") }
    self.rules = settings.applied(to: rules)
    self.reserve = reserve
    texts = ids
    promptLength = ids.width
    padding = Self.padding(of: ids, inputs[rules.mask])
    self.architecture = architecture
    opening = settings.opening
    present = ids.width
    states = States(
      inputs: rules.reading?(ids, true) ?? inputs, keepsKeysAndValues: true, reserve: reserve)
    let prepared = inputs
    whole = rules.renewedBeyond.flatMap { ids.width <= $0 ? prepared : nil }
    let scope = WeightScope<Scalar>(loading: graph, keepsTables: true)
    for stage in architecture.stages(Scalar.self) {
      let step = try stage.load(scope)
      if stage.runsOnce { try states.runOnce(step) } else { try step(&states) }
      if startsAnew || !stage.runsOnce { steps.append((step, stage.runsOnce)) }
    }
    scores = try states.value(of: rules.scores).array()
    if let opening, prompt[rules.ids] == nil { try open(with: opening) }
  }

  /// Goes on to another prompt, of which nothing is computed yet.
  ///
  /// - Throws: `CheckpointError` if the model cannot take it.
  /// - Precondition: it was said that others follow.
  mutating func restart(_ prompt: ModelInputs) throws(CheckpointError) {
    inputs = try architecture.prompt(prompt)
    guard let ids = inputs[rules.ids] else { preconditionFailure("a prompt has no ids") }
    (texts, promptLength, present) = (ids, ids.width, ids.width)
    padding = Self.padding(of: ids, inputs[rules.mask])
    whole = rules.renewedBeyond.flatMap { [inputs] in ids.width <= $0 ? inputs : nil }
    states = States(inputs: inputs, keepsKeysAndValues: true, reserve: reserve)
    for (step, runsOnce) in steps {
      if runsOnce { try states.runOnce(step) } else { try step(&states) }
    }
    scores = try states.value(of: rules.scores).array()
    if let opening, prompt[rules.ids] == nil { try open(with: opening) }
  }

  /// How much of each text is padding at its beginning.
  private static func padding(of ids: NDArray<Int>, _ mask: NDArray<Int>?) -> [Int] {
    (0..<ids.rows).map { row in
      mask.flatMap { $0.rows == ids.rows ? Array($0.row(row)).firstIndex { $0 != 0 } : nil } ?? 0
    }
  }

  /// Adds the tokens with which texts begin behind the first one, and counts them as the prompt's.
  private mutating func open(with opening: TextOpening) throws(CheckpointError) {
    guard !opening.tokens.isEmpty else { return }
    let tokens = (0..<texts.rows).flatMap { row in
      opening.tokens(behind: last.row(row))
    }
    try add(NDArray(shape: [texts.rows, opening.tokens.count], elements: tokens))
    promptLength = texts.width
  }

  /// The scores of what follows a text as they stand once all limits are kept.
  ///
  /// - Parameters:
  ///   - row: which of the texts it is.
  ///   - text: its tokens.
  ///   - isLast: whether it is the last token that is added.
  func limited<Number: ComputeScalar>(
    _ scores: ArraySlice<Number>, _ row: Int, behind text: ArraySlice<Int>, isLast: Bool
  ) -> ArraySlice<Number> {
    rules.limits.applied(
      to: scores, behind: text, added: text.count - promptLength, padding: padding[row],
      endTokens: rules.endTokens, isLast: isLast)
  }

  /// How many words there are.
  var vocabulary: Int { scores.width }

  /// The scores of what follows the last token: `[batch, vocabulary]`.
  var last: NDArray<Scalar> { position(scores.shape[1] - 1, of: scores) }

  /// Adds tokens `[batch, count]` and computes what follows each of them.
  ///
  /// - Throws: `CheckpointError` if one is no id, or the text becomes too long for the model.
  mutating func add(_ tokens: NDArray<Int>) throws(CheckpointError) {
    if let token = tokens.elements.first(where: { !(0..<vocabulary).contains($0) }) {
      throw CheckpointError(.malformed("token \(token) is not below \(vocabulary)"))
    }
    try checkRoom(for: tokens.width)
    let next = inputs.next(tokens, rules)
    texts = texts.widened(by: tokens)
    whole = whole?.joined(with: next, rules)
    if let whole, let limit = rules.renewedBeyond, texts.width > limit {
      states = States(inputs: whole, keepsKeysAndValues: true, reserve: reserve)
      self.whole = nil
      present = texts.width
    } else {
      states.advance(by: present, to: rules.reading?(texts, false) ?? next)
      present = tokens.width
    }
    inputs = next
    for (step, runsOnce) in steps where !runsOnce { try step(&states) }
    let all = try states.value(of: rules.scores).array()
    let before = all.shape[1] - tokens.width
    scores = before == 0 ? all : split(all, axis: 1, sizes: [before, tokens.width])[1]
  }

  /// Goes back to before the last tokens. Scores stay those of the last step.
  ///
  /// - Precondition: `count` is at most the reserve, and the prompt stays.
  mutating func takeBack(_ count: Int) {
    guard count > 0 else { return }
    precondition(count <= reserve && count < texts.width, "more is taken back than was kept")
    states.advance(by: present, to: states.inputs)
    states.forget(count)
    present = 0
    inputs = inputs.withoutLast(count, rules)
    texts = texts.droppingLast(count)
  }

  /// Goes on with the texts of these numbers in the order given: of each encoder's text as many as before. Scores stay
  /// those of the last step.
  mutating func select(_ rows: [Int]) {
    guard rows != Array(0..<texts.rows) else { return }
    states.select(rows)
    texts = texts.selectingRows(rows)
    inputs = inputs.selecting(rows, of: rules.ids)
    whole = whole?.selecting(rows, of: rules.ids)
  }

  /// How many more tokens have positions; `nil` if there is no limit.
  var room: Int? {
    guard let longest = rules.longest else { return nil }
    guard let positions = inputs[rules.positions] else { return max(0, longest - texts.width) }
    let last = (0..<positions.rows).map { positions.elements[($0 + 1) * positions.width - 1] }
    return max(0, longest - 1 - (last.max() ?? 0))
  }

  /// Checks that `count` more tokens have positions.
  ///
  /// - Throws: `CheckpointError` that says how many there are.
  func checkRoom(for count: Int) throws(CheckpointError) {
    guard let room, let longest = rules.longest, count > room else { return }
    throw CheckpointError(
      .malformed("the text needs \(longest - room + count) positions, the model has \(longest)"))
  }
}

extension ModelInputs {
  /// The same with other rows of one input.
  fileprivate func selecting(_ rows: [Int], of name: String) -> ModelInputs {
    var inputs = self
    inputs[name] = self[name]?.selectingRows(rows)
    return inputs
  }
}

extension NDArray {
  /// The rows, each with those of another array behind it.
  func widened(by other: NDArray) -> NDArray {
    NDArray(
      shape: [rows, width + other.width],
      elements: (0..<rows).flatMap { row($0) + other.row($0) })
  }

  /// The rows without their last elements.
  func droppingLast(_ count: Int) -> NDArray {
    NDArray(
      shape: [rows, width - count], elements: (0..<rows).flatMap { row($0).dropLast(count) })
  }
}
