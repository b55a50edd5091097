public import Kernels
public import Models
public import TensorCore

/// A model that writes what is said in sounds of any length: of one window after the other, each of which begins where
/// the last time was that was written in full.
///
/// Radford et al., arXiv 2212.04356, §3.8, with the likeliest tokens; the tokens are those of transformers' `generate` for
/// one sound (models/whisper/generation_whisper.py, 5.x) without temperatures to fall back on.
public struct Transcriber<Scalar: ComputeScalar> {
  /// How many frames a window has.
  public let window: Int

  private let input: String
  private let settings: GenerationSettings
  private let graph: WeightGraph
  private var model: Continuation<Scalar>?

  /// How many frames become one position: times are counted in these.
  private static var stride: Int { 2 }

  /// A model that reads `[batch, bands, frames]`; `nil` if it reads none, or writes no texts of windows.
  ///
  /// - Parameter settings: what is followed beside what the config says of tokens; texts have times if they say so.
  public init?(_ graph: WeightGraph, settings: GenerationSettings) {
    guard graph.architecture.generation?.opensBySettings ?? false,
      let slot = graph.inputs.first(where: { slot in
        slot.axes.count == 3 && graph.probe.numbers[slot.name] != nil
      }), case .size(let window) = slot.axes[2]
    else { return nil }
    (input, self.window) = (slot.name, window)
    self.settings = settings
    self.graph = graph
  }

  /// The tokens of a sound, without those that open and end the texts of its windows.
  ///
  /// - Parameters:
  ///   - sound: `[bands, frames]`
  ///   - count: how many tokens a window has at most.
  /// - Throws: `CheckpointError` if there is no room for so many, or weights cannot be read.
  public mutating func tokens(
    of sound: NDArray<Double>, atMost count: Int
  ) throws(CheckpointError) -> [Int] {
    var parts: [ArraySlice<Int>] = []
    var (place, opening) = (0, [Int]())
    while place < sound.width {
      let length = min(window, sound.width - place)
      var prompt = ModelInputs([:], numbers: [input: part(of: sound, from: place, length)])
      if !opening.isEmpty {
        let tokens = try before(parts) + opening
        prompt[rules.ids] = NDArray(shape: [1, tokens.count], elements: tokens)
      }
      try start(prompt)
      if opening.isEmpty { opening = Array(model?.texts.elements ?? []) }
      let added = trimmed(try likeliest(count)[...])
      let found = TimedText(added, firstTime: settings.firstTime)
      parts += found.parts
      // Times never go back, so that a window ends behind its beginning.
      place += found.end.map { max(1, $0) * Self.stride } ?? length
    }
    return parts.flatMap { $0 }
  }

  private var rules: GenerationRules {
    guard let rules = graph.architecture.generation else { preconditionFailure("it writes none") }
    return settings.applied(to: rules)
  }

  /// What finished texts are filled up with.
  public var filler: Int { rules.filler ?? 0 }

  /// `[1, bands, window]`, with zeros behind what there is.
  private func part(of sound: NDArray<Double>, from place: Int, _ length: Int) -> NDArray<Double> {
    let zeros = Array(repeating: 0.0, count: window - length)
    return NDArray(
      shape: [1, sound.rows, window],
      elements: (0..<sound.rows).flatMap { band in
        Array(sound.row(band).dropFirst(place).prefix(length)) + zeros
      })
  }

  /// What stands before the opening of a window's text: what was written before, as far as it has room.
  private func before(_ parts: [ArraySlice<Int>]) throws(CheckpointError) -> [Int] {
    guard settings.continuesText, !parts.isEmpty else { return [] }
    let written = parts.flatMap { part in
      // Of two times at the end the second one begins what is not there yet.
      part.count > 2 && part[part.endIndex - 2] >= settings.firstTime ? part.dropLast() : part
    }
    let room = max(0, (rules.longest ?? 0) / 2 - 1)
    let tokens =
      (settings.previousToken.map { [$0] } ?? []) + written.suffix(room)
    if let pad = rules.padToken, tokens.contains(pad) {
      throw CheckpointError(
        .unsupported(
          "the text so far has the padding token \(pad), and condition_on_prev_tokens is true"))
    }
    return tokens
  }

  private mutating func start(_ prompt: ModelInputs) throws(CheckpointError) {
    guard model != nil else {
      model = try Continuation(graph, prompt: prompt, settings: settings, startsAnew: true)
      return
    }
    try model?.restart(prompt)
  }

  /// The likeliest tokens behind the prompt, one after the other, up to an end token.
  private mutating func likeliest(_ count: Int) throws(CheckpointError) -> [Int] {
    guard var model else { return [] }
    // In place: nobody else has its arrays.
    self.model = nil
    defer { self.model = model }
    try model.checkRoom(for: max(0, count - 1))
    var choice = TokenChoice.likeliest
    var (added, text) = ([Int](), model.texts.elements)
    while added.count < count {
      if let last = added.last { try model.add(NDArray(shape: [1, 1], elements: [last])) }
      let token = choice.token(
        from: model.limited(
          model.last.row(0), 0, behind: text[...], isLast: added.count == count - 1))
      added.append(token)
      text.append(token)
      if model.rules.endTokens.contains(token) { break }
    }
    return added
  }

  /// Without padding at the end, and without the one end token, as the framework takes them off.
  private func trimmed(_ added: ArraySlice<Int>) -> ArraySlice<Int> {
    var added = added
    let end = rules.endTokens.count == 1 ? rules.endTokens.first : nil
    if let pad = rules.padToken, added.last == pad {
      added = added.dropLast(added.count { $0 == pad } - (pad == end ? 1 : 0))
    }
    return added.last == end && end != nil ? added.dropLast() : added
  }
}

/// A text with times in it, cut where two times stand beside each other.
package struct TimedText: Equatable {
  /// Its parts; what follows the last two times is none of them, unless it ends in one time.
  package let parts: [ArraySlice<Int>]
  /// The last of the times at which it is cut, counted in positions; `nil` if all of the window is written.
  package let end: Int?

  /// - Parameter firstTime: the token of time 0; those behind it are later times.
  package init(_ tokens: ArraySlice<Int>, firstTime: Int) {
    func isTime(_ place: Int) -> Bool {
      tokens.indices.contains(place) && tokens[place] >= firstTime
    }
    var cuts = tokens.indices.filter { isTime($0) && isTime($0 - 1) }
    guard !cuts.isEmpty else {
      (parts, end) = ([tokens], nil)
      return
    }
    let last = tokens.endIndex - 1
    let endsInOne = isTime(last) && !isTime(last - 1)
    if endsInOne { cuts.append(tokens.endIndex) } else { cuts[cuts.count - 1] += 1 }
    var start = tokens.startIndex
    var parts: [ArraySlice<Int>] = []
    for cut in cuts {
      parts.append(tokens[start..<cut])
      start = cut
    }
    self.parts = parts
    end = endsInOne ? nil : tokens[start - 2] - firstTime
  }
}
