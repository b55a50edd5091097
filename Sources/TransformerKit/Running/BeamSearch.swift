public import Kernels
public import Models
public import TensorCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How texts are continued by beam search, under the names and with the defaults of Hugging Face's `generate`.
public struct BeamSettings: Sendable {
  /// How many continuations of each text are followed.
  public let beams: Int
  /// A text's score is the sum of its tokens' log-probabilities, divided by their number to this power.
  public let lengthPenalty: Double
  /// Whether a text is done as soon as as many of its continuations have ended as are followed.
  public let stopsEarly: Bool

  /// Settings.
  ///
  /// - Precondition: there is a beam.
  public init(beams: Int, lengthPenalty: Double = 1, stopsEarly: Bool = false) {
    precondition(beams > 0, "no beam is followed")
    (self.beams, self.lengthPenalty, self.stopsEarly) = (beams, lengthPenalty, stopsEarly)
  }

  /// What the model computes at first: each text of a prompt as often as there are beams.
  public func prompt(_ inputs: ModelInputs) -> ModelInputs { inputs.repeatingRows(beams) }
}

/// A model that continues texts by the likeliest sequence of tokens that beam search finds.
///
/// Follows `GenerationMixin._beam_search` of transformers (generation/utils.py, 5.x): of all tokens behind
/// all beams the likeliest few are kept; those that end a text, if they are among the first as many as there are
/// beams, compete for the result, and the best of the others are the next beams. Where several tokens have
/// the same score the first is taken.
public struct BeamSearch<Scalar: ComputeScalar> {
  /// The best continuation of each text, the prompt included, filled up behind its end: `[batch, length]`.
  public private(set) var sequences: NDArray<Int>
  /// The score of each; see `BeamSettings.lengthPenalty`.
  public private(set) var scores: [Double] = []

  private let settings: BeamSettings
  private var model: Continuation<Scalar>
  private var searches: [Search]

  /// Loads a model and computes the prompt, once for each beam.
  ///
  /// - Parameters:
  ///   - prompt: what is continued, filled in as for `Generator`.
  ///   - following: what is followed beside what the config says of tokens.
  /// - Throws: `CheckpointError` as `Generator` does.
  public init(
    _ graph: WeightGraph, prompt: ModelInputs, settings: BeamSettings,
    following: GenerationSettings = GenerationSettings()
  ) throws(CheckpointError) {
    // What is wrong with a prompt is said of it, and not of its repetition.
    if graph.architecture.generation != nil {
      try Self.requireOnePictureEach(try graph.architecture.prompt(prompt), graph)
    }
    model = try Continuation(graph, prompt: settings.prompt(prompt), settings: following)
    let texts = model.texts
    sequences = texts.selectingRows(
      Array(stride(from: 0, to: texts.rows, by: settings.beams)))
    self.settings = settings
    searches = Array(repeating: Search(settings), count: sequences.rows)
  }

  /// Fails if a text has several pictures, or another none: those of its beams would be confused.
  private static func requireOnePictureEach(
    _ prompt: ModelInputs, _ graph: WeightGraph
  ) throws(CheckpointError) {
    guard let token = graph.architecture.pictureToken, !prompt.numbers.isEmpty,
      let ids = prompt["input_ids"]
    else { return }
    let isEach = (0..<ids.rows).allSatisfy { row in
      ids.row(row).count { $0 == token.id } == token.count
    }
    guard isEach else {
      throw CheckpointError(.unsupported("beam search needs texts with one picture each"))
    }
  }

  /// Continues every text by at most `count` tokens. Tokens that the config forces and forbids come and do not come.
  ///
  /// - Throws: `CheckpointError` if a text becomes too long for the model.
  /// - Precondition: it was not called before.
  public mutating func generate(_ count: Int) throws(CheckpointError) {
    precondition(scores.isEmpty, "a search is done once")
    try model.checkRoom(for: max(0, count - 1))
    for step in 0..<count {
      let isLast = step == count - 1
      var next: [(row: Int, token: Int)] = []
      var hasOpenEnd = false
      for text in searches.indices {
        let first = text * settings.beams
        let rows = (first..<first + settings.beams).map { row in
          model.limited(
            logProbabilities(model.last.row(row)), row, behind: model.texts.row(row), isLast: isLast
          )
        }
        let endTokens = isLast ? nil : model.rules.endTokens
        if searches[text].extend(by: rows, endTokens: endTokens, of: model.rules.endTokens.count) {
          hasOpenEnd = true
        }
        next += searches[text].running.map { (first + $0.parent, $0.added.last ?? 0) }
      }
      let canImprove = searches.contains { $0.canImprove }
      let isFull = settings.stopsEarly && searches.allSatisfy(\.isFull)
      guard canImprove, !isFull, hasOpenEnd else { break }
      model.select(next.map(\.row))
      try model.add(NDArray(shape: [next.count, 1], elements: next.map(\.token)))
    }
    finish()
  }

  /// Puts the best continuations behind the prompts.
  private mutating func finish() {
    let best = searches.map { $0.finished.first ?? $0.running[0] }
    scores = best.map(\.score)
    let length = best.map(\.added.count).max() ?? 0
    let rows = best.map { $0.added + Array(repeating: filler, count: length - $0.added.count) }
    sequences = sequences.widened(
      by: NDArray(shape: [rows.count, length], elements: rows.flatMap(\.self)))
  }

  /// What stands behind the end of a text. The framework takes padding token 0 for none here.
  private var filler: Int {
    let padding = model.rules.padToken ?? 0
    return padding == 0 ? model.rules.endTokens.first ?? padding : padding
  }
}

/// A continuation of a text.
private struct Beam {
  /// The beam that it goes on from, among those of the step before.
  let parent: Int
  /// The tokens behind the prompt.
  var added: [Int]
  /// The sum of their log-probabilities; of one that has ended, its score.
  var score: Double
}

/// The beams of one text.
private struct Search {
  let settings: BeamSettings
  /// Those that go on, the best one first.
  private(set) var running: [Beam]
  /// Those that have ended, the best one first; no more than beams.
  private(set) var finished: [Beam] = []
  /// Whether one that goes on may still become better than the worst that has ended.
  private(set) var canImprove = true

  /// Far below the score of any continuation: of beams beside the first one as long as they would be its copies, and
  /// of what has ended when it comes to going on.
  private static let outOfTheQuestion = -1e9

  /// All begin with nothing, and only the first one counts.
  init(_ settings: BeamSettings) {
    self.settings = settings
    running = (0..<settings.beams).map {
      Beam(parent: $0, added: [], score: $0 == 0 ? 0 : Self.outOfTheQuestion)
    }
  }

  /// Whether as many have ended as there are beams.
  var isFull: Bool { finished.count == settings.beams }

  /// Goes on by a token.
  ///
  /// - Parameters:
  ///   - logProbabilities: of all tokens, for each beam that goes on.
  ///   - endTokens: those after which a text ends; `nil` if it ends after each.
  ///   - count: how many tokens end a text otherwise.
  /// - Returns: whether one of those considered does not end here.
  mutating func extend(
    by logProbabilities: [ArraySlice<Double>], endTokens: [Int]?, of count: Int
  ) -> Bool {
    let candidates = best(max(2, 1 + count) * settings.beams, of: logProbabilities)
    let ends = candidates.map { beam in endTokens.map { $0.contains(beam.added.last ?? 0) } ?? true
    }
    let wasOpen = canImprove && !(settings.stopsEarly && isFull)
    if wasOpen {
      for (beam, _) in zip(candidates, ends).prefix(settings.beams).filter(\.1) { end(beam) }
    }
    // What has ended goes on only where there is nothing else.
    let order = zip(candidates, ends).filter { !$0.1 } + zip(candidates, ends).filter(\.1)
    running = order.prefix(settings.beams).map { beam, hasEnded in
      var beam = beam
      if hasEnded { beam.score += Self.outOfTheQuestion }
      return beam
    }
    if canImprove, isFull, let worst = finished.last, let best = running.first {
      canImprove = best.score / divisor(best.added.count) > worst.score
    }
    return ends.contains(false)
  }

  /// The best continuations of all beams, the best one first.
  private func best(_ count: Int, of logProbabilities: [ArraySlice<Double>]) -> [Beam] {
    var best: [(score: Double, parent: Int, token: Int)] = []
    for (parent, row) in logProbabilities.enumerated() {
      for (token, logProbability) in row.enumerated() {
        let score = running[parent].score + logProbability
        if best.count == count, let last = best.last, !(score > last.score) { continue }
        let place = best.firstIndex { score > $0.score } ?? best.count
        best.insert((score, parent, token), at: place)
        if best.count > count { best.removeLast() }
      }
    }
    return best.map {
      Beam(parent: $0.parent, added: running[$0.parent].added + [$0.token], score: $0.score)
    }
  }

  /// Enters a continuation among those that have ended, if it is one of the best.
  private mutating func end(_ beam: Beam) {
    guard beam.score > Self.outOfTheQuestion / 2 else { return }
    var beam = beam
    beam.score /= divisor(beam.added.count)
    let place = finished.firstIndex { beam.score > $0.score } ?? finished.count
    finished.insert(beam, at: place)
    if finished.count > settings.beams { finished.removeLast() }
  }

  private func divisor(_ length: Int) -> Double { pow(Double(length), settings.lengthPenalty) }
}

/// The logarithm of the softmax of scores.
private func logProbabilities<Scalar: ComputeScalar>(
  _ scores: ArraySlice<Scalar>
) -> ArraySlice<Double> {
  let scores = scores.map { Double($0) }
  let largest = scores.max() ?? 0
  let sum = scores.reduce(0) { $0 + exp($1 - largest) }
  let shift = largest + log(sum)
  return scores.map { $0 - shift }[...]
}

extension ModelInputs {
  /// With each row, of the first axis, several times.
  fileprivate func repeatingRows(_ count: Int) -> ModelInputs {
    func rows(_ shape: [Int]) -> [Int] {
      (0..<(shape.first ?? 0)).flatMap { Array(repeating: $0, count: count) }
    }
    var repeated = self
    repeated.arrays = arrays.mapValues { $0.selectingRows(rows($0.shape)) }
    repeated.numbers = numbers.mapValues { $0.selectingRows(rows($0.shape)) }
    return repeated
  }
}
